export {
  type AddressGuard,
  type AddressGuardOptions,
  createAddressGuard,
  type UrlProblem,
} from './address-guard.js';
export type { ConnectionPoolStats } from './connection-pool.js';
export { createEgress, type Egress, type EgressOptions } from './egress.js';
export type { EgressFailure, EgressOutcome, EgressRequest, EgressResponse } from './exchange.js';
export type { FailureReason } from './failure.js';
export type { Resolve } from './resolve-name.js';
