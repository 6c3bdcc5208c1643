/** What a member may ask its group's coordinator, as the member it was made by one join. */
export interface GroupGeneration {
  /** Stores the next offsets to read. The coordinator refuses it from a member of the past. */
  commit(offsets: ReadonlyMap<number, bigint>): Promise<void>;
  /** Tells that the member is there. */
  heartbeat(): Promise<void>;
}
