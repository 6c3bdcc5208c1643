/** Bit of a batch's attributes: the batch belongs to a transaction. */
const transactionBit = 0x10;
/** Bit of a batch's attributes: the batch is a control record, which ends a transaction. */
const controlBit = 0x20;
/** Type of a control record that aborts a transaction. Its key is: version: int16, type: int16. */
const abortType = 0;
const controlTypeOffset = 2;

/** A transaction that was aborted, as a Fetch response names it. */
export interface AbortedTransaction {
  readonly producerId: bigint;
  readonly firstOffset: bigint;
}

/** Parts of a batch by which its transaction is known. */
export interface TransactionBatch {
  readonly attributes: number;
  readonly producerId: bigint;
  readonly lastOffset: bigint;
  readonly records: readonly { readonly key: Buffer | null }[];
}

/**
 * The aborted transactions of one partition in a Fetch response. A broker lists those that have
 * records from the fetched offset on, also if they began before it. The filter is that of the Java
 * client, because those of the libraries let records pass:
 *
 * - kafkajs expects the list in order of the first offsets, but it is in order of the ends; and it
 *   begins one transaction per record, though several have begun before the fetched offset.
 * - @platformatic/kafka needs the end of a transaction in the same response, and keeps one aborted
 *   transaction per producer in mind.
 */
export class AbortedTransactions {
  /** Transactions that begin after the batches so far, in order of their first offsets. */
  readonly #later: AbortedTransaction[];
  /** Producers whose transaction at this place of the log was aborted. */
  readonly #producerIds = new Set<bigint>();

  constructor(transactions: readonly AbortedTransaction[]) {
    this.#later = transactions.toSorted((a, b) => Number(a.firstOffset - b.firstOffset));
  }

  /**
   * True if no handler may see the records of this batch: they are of an aborted transaction, or
   * control records. Call it for every batch, in the order of the log.
   */
  hides({ attributes, producerId, lastOffset, records }: TransactionBatch): boolean {
    while (this.#later[0] && this.#later[0].firstOffset <= lastOffset) {
      this.#producerIds.add(this.#later[0].producerId);
      this.#later.shift();
    }
    if ((attributes & controlBit) !== 0) {
      if (isAbort(records[0]?.key)) this.#producerIds.delete(producerId);
      return true;
    }
    return (attributes & transactionBit) !== 0 && this.#producerIds.has(producerId);
  }
}

function isAbort(key: Buffer | null | undefined): boolean {
  if (!key || key.length < controlTypeOffset + 2) return false;
  return key.readInt16BE(controlTypeOffset) === abortType;
}
