/** A record to be written to a stream. */
export interface OutgoingRecord {
  /** Decides the partition. Null: no key. */
  readonly key: Buffer | null;
  /** Null: a tombstone. */
  readonly value: Buffer | null;
  readonly headers: Readonly<Record<string, string>>;
}

/** A record read from a stream. */
export interface StoredRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  /** Names as they were written. A name that was written twice has its last value. */
  readonly headers: Readonly<Record<string, string>>;
  /** Moment of the append, in ms since 1970. */
  readonly timestampMs: number;
}
