import type { PlatformError } from '@posthaste/contracts';

/** Told of what a relay does, for metrics and logs. Must not throw. */
export interface RelayObserver {
  /** Kafka has acknowledged records of a topic; the request took `durationMs`. */
  published(topic: string, records: number, durationMs: number): void;
  /** A request failed; it is tried again until it succeeds. */
  failed(topic: string, error: PlatformError): void;
  /** Kafka will never take a record, or a topic by its name: the relay goes on without it. */
  refused(place: RefusedPlace, error: PlatformError): void;
  /** Records were dropped by age before the relay had read them. */
  skipped(place: { readonly topic: string; readonly partition: number }, records: bigint): void;
  /** The log could not be read, or an offset not be stored; it is tried again. */
  interrupted(topic: string, error: unknown): void;
}

/** What was refused: a topic of the log, or one record in it. */
export interface RefusedPlace {
  readonly topic: string;
  readonly partition?: number;
  readonly offset?: bigint;
}
