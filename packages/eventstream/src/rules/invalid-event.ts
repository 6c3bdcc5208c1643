import { PlatformError } from '@posthaste/contracts';

/** `details` of an `EVENT_INVALID` error. */
export interface InvalidEventDetails {
  /** Name of the wrong option in a plain request. */
  readonly field: string;
  /** Rule that it breaks, for people. */
  readonly reason: string;
}

/**
 * Creates the error for an invalid event or subscription. `text` is one of the Go SDK's texts,
 * because services compare it; `details` say which field is wrong and why.
 */
export function invalidEvent(text: string, field: string, reason: string): PlatformError {
  const details: InvalidEventDetails = { field, reason };
  return new PlatformError('EVENT_INVALID', text, { details });
}
