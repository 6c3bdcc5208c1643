import { PlatformError } from '@posthaste/contracts';
import {
  deadLetterTopic,
  type EventPage,
  type LogRecord,
  type PostgresLog,
  type StoredRecord,
  toReplay,
} from '@posthaste/eventstream';
import type { Database, Transaction } from '@posthaste/postgres';
import { readFailedDelivery } from './dead-letter.js';
import {
  advanceReplay,
  type DeadLetterReplay,
  type DueReplay,
  endReplay,
  findDueReplay,
  getReplay,
  insertReplay,
  lockStep,
  type NewDeadLetterReplay,
} from './dead-letter-replay-store.js';
import { toEventFilter } from './event-filter.js';
import { findReplayed, markReplayed } from './replayed-letter-store.js';

/** Dead letters that are in memory together, but for one that goes over it, in bytes. */
const maxBytesPerStep = 1_048_576;
const maxLettersPerStep = 500;

/**
 * Replays of dead letters. A step is made by whatever process comes first, in one transaction with
 * what it appends: however often processes die, each dead letter is replayed once.
 */
export class DeadLetterReplays {
  readonly #db: Database;
  readonly #log: PostgresLog;

  constructor(db: Database, log: PostgresLog) {
    this.#db = db;
    this.#log = log;
  }

  /** @throws PlatformError `TOPIC_NOT_FOUND` when the topic never had a dead letter */
  async create(replay: NewDeadLetterReplay): Promise<DeadLetterReplay> {
    const query = { topics: [deadLetterTopic(replay.topic)], from: 'end', limit: 1 } as const;
    await this.#log.listEvents(query);
    return insertReplay(this.#db, replay);
  }

  /** Stops a replay; what it has published stays so. @throws PlatformError `REPLAY_NOT_FOUND` */
  async cancel(id: string): Promise<DeadLetterReplay> {
    await endReplay(this.#db, id, { state: 'cancelled' });
    return getReplay(this.#db, id);
  }

  /**
   * Makes the next step that is due; false when there is none.
   * @throws PlatformError `DATABASE_*`, after which it can be tried again
   */
  async step(): Promise<boolean> {
    const replay = await findDueReplay(this.#db);
    if (!replay) return false;
    try {
      const page = await this.#read(replay);
      await this.#db.transaction((tx) => this.#replay(tx, replay, page));
      this.#log.hint(replay.topic);
    } catch (error) {
      // What does not go away by itself would be met again and again.
      if (!(error instanceof PlatformError) || error.retryable) throw error;
      await endReplay(this.#db, replay.id, { state: 'failed', error: error.message });
    }
    return true;
  }

  /** Outside of the transaction, which on the embedded database would wait for itself. */
  async #read(replay: DueReplay): Promise<EventPage> {
    const { topic, filter, position, allowance, dryRun, createdAt } = replay;
    const { until = createdAt, ...picked } = toEventFilter(filter);
    return this.#log.listEvents({
      ...picked,
      topics: [deadLetterTopic(topic)],
      until: new Date(Math.min(until.getTime(), createdAt.getTime())),
      cursor: position,
      limit: dryRun ? maxLettersPerStep : Math.min(allowance, maxLettersPerStep),
      maxBytes: maxBytesPerStep,
    });
  }

  async #replay(tx: Transaction, replay: DueReplay, page: EventPage): Promise<void> {
    if (!(await lockStep(tx, replay))) return;
    const { topic, filter, dryRun, again, id } = replay;
    const letters = page.records.filter((record) => isOfGroup(record, filter.group));
    const returnable = letters.filter((letter) => toReplay(letter)?.topic === topic);
    const chosen = dryRun
      ? await notReplayed(tx, returnable, again)
      : await markReplayed(tx, returnable, again);
    const lastAt = page.records.at(-1)?.timestampMs;
    await advanceReplay(tx, id, {
      position: page.next,
      isLast: page.isLast,
      matched: letters.length,
      replayed: dryRun ? 0 : chosen.length,
      skipped: letters.length - chosen.length,
      readUntil: lastAt === undefined ? undefined : new Date(lastAt),
    });
    if (dryRun) return;
    // Last: readers of the topic wait for the end of the transaction.
    await this.#log.append(tx, chosen.flatMap(toLogRecord), { keyOrder: 'append', notify: false });
  }
}

function isOfGroup(record: StoredRecord, group: string | undefined): boolean {
  return group === undefined || readFailedDelivery(record).group === group;
}

async function notReplayed(
  tx: Transaction,
  letters: readonly StoredRecord[],
  again: boolean,
): Promise<readonly StoredRecord[]> {
  if (again) return letters;
  const replayed = await findReplayed(tx, letters);
  return letters.filter((letter) => !replayed.has(letter));
}

function toLogRecord(letter: StoredRecord): LogRecord[] {
  const replay = toReplay(letter);
  return replay ? [{ topic: replay.topic, ...replay.record }] : [];
}
