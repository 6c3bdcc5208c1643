import { PlatformError } from '@posthaste/contracts';

/** What `details` of an `EVENT_INVALID` holds. */
export interface InvalidEventDetails {
  /** The option that is wrong, as plain requests name it. */
  readonly field: string;
  /** What it must be, for people. */
  readonly reason: string;
}

/**
 * The error of an event or subscription that is not valid. `text` is fixed, because services that
 * come from the Go SDK compare it; what exactly is wrong stands in `details`.
 */
export function invalidEvent(text: string, field: string, reason: string): PlatformError {
  const details: InvalidEventDetails = { field, reason };
  return new PlatformError('EVENT_INVALID', text, { details });
}
