import { PlatformError } from '@posthaste/contracts';

/** Observer of a relay, for metrics and logs. Its methods must not throw. */
export interface RelayObserver {
  /** Kafka has acknowledged records of a topic; the request took `durationMs`. */
  published(topic: string, records: number, durationMs: number): void;
  /** A request failed; it is tried again until it succeeds. */
  failed(topic: string, error: PlatformError): void;
  /** Kafka refuses a record, or a topic by its name, for good; the relay leaves it out. */
  refused(position: LogPosition, error: PlatformError): void;
  /** Records were dropped by retention before the relay had read them. */
  skipped(range: { readonly topic: string; readonly partition: number }, records: bigint): void;
  /** The log could not be read, or offsets could not be committed; the relay tries again. */
  interrupted(topic: string, error: unknown): void;
}

/** Position in the log: a topic, or one record in it. */
export interface LogPosition {
  readonly topic: string;
  readonly partition?: number;
  readonly offset?: bigint;
}

/** Converts an error of a driver to a `PlatformError`; unknown errors become `INTERNAL`. */
export function toRelayError(error: unknown): PlatformError {
  if (error instanceof PlatformError) return error;
  return new PlatformError('INTERNAL', 'the relay to Kafka failed', { cause: error });
}
