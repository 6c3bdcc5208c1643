/** Version and settings of a store, for the report. */
export type StoreFacts = Readonly<Record<string, string>>;

/** A database server that contenders keep their work in. */
export interface StoreServer {
  /** Process whose tree does the store's work; its CPU time is measured. */
  readonly pid: number;
  readonly facts: StoreFacts;
  /** The URL of a store made by `make`, or of a copy of the one made before under this name. */
  open(name: string, make: (storeUrl: string) => Promise<void>): Promise<string>;
  close(): Promise<void>;
}
