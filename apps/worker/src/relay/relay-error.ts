import { PlatformError } from '@posthaste/contracts';

/** What a driver threw, as errors of the platform are told. */
export function toRelayError(error: unknown): PlatformError {
  if (error instanceof PlatformError) return error;
  return new PlatformError('INTERNAL', 'the relay to Kafka failed', { cause: error });
}
