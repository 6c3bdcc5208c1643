/** A record on its way into a stream. */
export interface OutgoingRecord {
  /** Decides the partition; null: none. */
  readonly key: Buffer | null;
  /** Null: a tombstone. */
  readonly value: Buffer | null;
  readonly headers: Readonly<Record<string, string>>;
}

/** A record as a stream gives it. */
export interface StoredRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  /** Names as they were written; of several values of one name the last. */
  readonly headers: Readonly<Record<string, string>>;
  /** When it was appended, in milliseconds since 1970. */
  readonly timestampMs: number;
}
