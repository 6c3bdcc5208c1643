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

/** An egress that may go to loopback, closed when the test is over. */
export function openEgress(
  options: Partial<EgressOptions> = {},
  guardOptions: AddressGuardOptions = { allowLoopback: true },
): Egress {
  const guard = createAddressGuard(guardOptions);
  const egress = createEgress({ guard, closeTimeoutMs: 100, ...options });
  onTestFinished(() => egress.close());
  return egress;
}

/** A GET with nothing special about it, and a deadline that is not meant to be reached. */
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

export function post(
  url: string,
  body: string,
  changes: Partial<EgressRequest> = {},
): EgressRequest {
  return get(url, { method: 'POST', body: Buffer.from(body), ...changes });
}

/** The outcome as a response. @throws Error when it is a failure */
export function responseOf(outcome: EgressOutcome): EgressResponse {
  if (outcome.kind === 'response') return outcome;
  throw new Error(`a response was expected, and not ${outcome.reason}: ${outcome.detail}`);
}

/** The outcome as a failure. @throws Error when it is a response */
export function failureOf(outcome: EgressOutcome): EgressFailure {
  if (outcome.kind === 'failure') return outcome;
  throw new Error(`a failure was expected, and not an answer with ${outcome.statusCode}`);
}

/** Closes what a test started when the test is over. */
export async function started<T extends { close(): Promise<void> }>(
  starting: Promise<T>,
): Promise<T> {
  const running = await starting;
  onTestFinished(() => running.close());
  return running;
}
