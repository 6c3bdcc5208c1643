/** A header of a record, as it is in the stream. */
export interface RecordHeader {
  readonly name: string;
  /** Null: the header has no value. */
  readonly value: Buffer | null;
}

/** A record to be written to a stream. */
export interface OutgoingRecord {
  /** Decides the partition. Null: no key. */
  readonly key: Buffer | null;
  /** Null: a tombstone. */
  readonly value: Buffer | null;
  readonly headers: Readonly<Record<string, string>>;
  /**
   * All headers, in order. If given, they are written in place of `headers`, which cannot hold a name
   * twice, null, or bytes that are not UTF-8.
   */
  readonly rawHeaders?: readonly RecordHeader[] | undefined;
}

/** A record read from a stream. */
export interface StoredRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  /**
   * Headers as texts, by their names as they were written. A name that was written twice has its last
   * value, null is left out, and bytes that are not UTF-8 become U+FFFD.
   */
  readonly headers: Readonly<Record<string, string>>;
  /**
   * All headers, in order, as they were written. Undefined: `headers` has them as they were written.
   * `toHeaderList` returns them in either case.
   */
  readonly rawHeaders?: readonly RecordHeader[] | undefined;
  /**
   * Answers `hasHeader` for this record, faster than `headers` would. For drivers that make the texts
   * of `headers` each time they are read. Undefined: `headers` is cheap to read.
   */
  readonly findsHeader?: ((name: string, text?: string) => boolean) | undefined;
  /** Moment of the append, in ms since 1970. */
  readonly timestampMs: number;
}
