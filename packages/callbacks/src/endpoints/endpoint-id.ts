import { PlatformError, parseId } from '@posthaste/contracts';

/**
 * - `active`: callbacks are sent.
 * - `paused`: somebody paused it; what is owed to it waits.
 * - `disabled`: its receiver answered 410, or somebody disabled it. What is owed to it waits, too,
 *   for it to be enabled.
 */
export type EndpointState = 'active' | 'paused' | 'disabled';

/** @throws PlatformError `ENDPOINT_NOT_FOUND`: what is no id is the id of none */
export function parseEndpointId(text: string): string {
  const id = parseId(text);
  if (id === undefined) throw endpointNotFound(text);
  return id;
}

/** The error of an id that no endpoint has. */
export function endpointNotFound(id: string): PlatformError {
  return new PlatformError('ENDPOINT_NOT_FOUND', `there is no endpoint ${id.slice(0, 64)}`);
}
