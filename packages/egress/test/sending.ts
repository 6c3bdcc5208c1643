import { onTestFinished } from 'vitest';
import {
  type AddressGuardOptions,
  createAddressGuard,
  createEgress,
  type Egress,
  type EgressFailure,
  type EgressOptions,
  type EgressOutcome,
  type EgressRequest,
  type EgressResponse,
} from '../src/index.js';

/** Creates an egress that may connect to loopback. It is closed after the test. */
export function openEgress(
  options: Partial<EgressOptions> = {},
  guardOptions: AddressGuardOptions = { allowLoopback: true },
): Egress {
  const guard = createAddressGuard(guardOptions);
  const egress = createEgress({ guard, closeTimeoutMs: 100, ...options });
  onTestFinished(() => egress.close());
  return egress;
}

/** Returns a plain GET with a deadline that no test reaches. */
export function get(url: string, changes: Partial<EgressRequest> = {}): EgressRequest {
  return {
    url,
    method: 'GET',
    headers: [],
    body: null,
    timeoutMs: 10_000,
    maxResponseBytes: 16_384,
    ...changes,
  };
}

/** Returns a plain POST with a body. */
export function post(
  url: string,
  body: string,
  changes: Partial<EgressRequest> = {},
): EgressRequest {
  return get(url, { method: 'POST', body: Buffer.from(body), ...changes });
}

/** Returns the outcome as a response. @throws Error if it is a failure */
export function responseOf(outcome: EgressOutcome): EgressResponse {
  if (outcome.kind === 'response') return outcome;
  throw new Error(`expected a response, got a failure: ${outcome.reason}: ${outcome.detail}`);
}

/** Returns the outcome as a failure. @throws Error if it is a response */
export function failureOf(outcome: EgressOutcome): EgressFailure {
  if (outcome.kind === 'failure') return outcome;
  throw new Error(`expected a failure, got a response with status ${outcome.statusCode}`);
}

/** Awaits the start of a server, and closes the server after the test. */
export async function started<T extends { close(): Promise<void> }>(
  starting: Promise<T>,
): Promise<T> {
  const running = await starting;
  onTestFinished(() => running.close());
  return running;
}
