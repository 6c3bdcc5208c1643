export {
  type AddressGuard,
  type AddressGuardOptions,
  createAddressGuard,
  type UrlProblem,
} from './address-guard.js';
export type { ConnectionPoolStats } from './connection-pool.js';
export { createEgress, type Egress, type EgressOptions } from './egress.js';
export type { FailureReason } from './failure.js';
export type { EgressFailure, EgressOutcome, EgressResponse } from './outcome.js';
export type { EgressRequest } from './request.js';
export type { Resolve } from './resolve-name.js';
