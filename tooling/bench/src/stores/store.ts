/** Version and settings of a store, for the report. */
export type StoreFacts = Readonly<Record<string, string>>;

/** A database server that contenders keep their work in. */
export interface StoreServer {
  /** Root of the process tree of the store, whose CPU time is measured. */
  readonly pid: number;
  readonly facts: StoreFacts;
  /** Resolves to the URL of a store that `make` has filled, or of a copy of an earlier one of this name. */
  open(name: string, make: (storeUrl: string) => Promise<void>): Promise<string>;
  close(): Promise<void>;
}
