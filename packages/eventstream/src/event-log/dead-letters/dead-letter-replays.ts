import { type Applications, PlatformError } from '@posthaste/contracts';
import type { Database, Transaction } from '@posthaste/postgres';
import { toReplay } from '../../consume/failed-record.js';
import type { LogRecord } from '../../drivers/postgres/append/append.js';
import type { PostgresLog } from '../../drivers/postgres/postgres-log.js';
import type { EventPage } from '../../drivers/postgres/read/event-pages.js';
import type { StoredRecord } from '../../record.js';
import { deadLetterTopic } from '../../rules/topic-name.js';
import { parseEventFilter } from '../event-filter.js';
import {
  advanceReplay,
  type DueReplay,
  findDueReplay,
  lockReplayStep,
} from './dead-letter-replay-steps.js';
import {
  type DeadLetterReplay,
  endReplay,
  getReplay,
  insertReplay,
  listReplays,
  type NamedReplay,
  type NewDeadLetterReplay,
  type ReplayQuery,
} from './dead-letter-replay-store.js';
import { isOfGroup } from './dead-letters.js';
import { findReplayed, markReplayed } from './replayed-letter-store.js';

/** Dead letters of one step in memory, in bytes, except for one larger dead letter. */
const maxStepBytes = 1_048_576;
const maxStepLetters = 500;

/** Log and database of replays. */
export interface DeadLetterReplayDeps {
  /** Database with `eventstreamMigrations` and `eventLogMigrations` applied. */
  readonly db: Database;
  readonly log: PostgresLog;
  /** Most running replays of one application. Default 10. */
  readonly maxRunning?: number | undefined;
}

/**
 * Replays of dead letters. They are stored, and `EventMaintenance` runs their steps: whichever
 * process comes first makes a step, in one transaction with what it appends. So each dead letter is
 * replayed once, however often processes die.
 */
export class DeadLetterReplays {
  readonly #db: Database;
  readonly #log: PostgresLog;
  readonly #maxRunning: number | undefined;

  constructor({ db, log, maxRunning }: DeadLetterReplayDeps) {
    this.#db = db;
    this.#log = log;
    this.#maxRunning = maxRunning;
  }

  /**
   * Creates a replay.
   * @throws PlatformError `TOPIC_NOT_FOUND` if the topic never had a dead letter; `REQUEST_INVALID`
   *   for the filter, `OPTION_INVALID` for the rate, `REPLAY_LIMIT_REACHED`, `DATABASE_*`
   */
  async create(replay: NewDeadLetterReplay): Promise<DeadLetterReplay> {
    parseEventFilter(replay.filter ?? {});
    const { topic, application, withUnnamed } = replay;
    const topics = [deadLetterTopic(topic)];
    const within = [application];
    await this.#log.listEvents({ within, withUnnamed, topics, from: 'end', limit: 1 });
    return insertReplay(this.#db, replay, this.#maxRunning);
  }

  /** Returns a replay with its progress. @throws PlatformError `REPLAY_NOT_FOUND`, `DATABASE_*` */
  get(replay: NamedReplay): Promise<DeadLetterReplay> {
    return getReplay(this.#db, replay);
  }

  /** Returns a page of replays, the newest first. @throws PlatformError `DATABASE_*` */
  list(query: ReplayQuery): Promise<DeadLetterReplay[]> {
    return listReplays(this.#db, query);
  }

  /**
   * Stops a replay. What it has published stays published; one that has ended stays as it is.
   * @throws PlatformError `REPLAY_NOT_FOUND`, `DATABASE_*`
   */
  async cancel(replay: NamedReplay): Promise<DeadLetterReplay> {
    await endReplay(this.#db, replay, { state: 'cancelled' });
    return getReplay(this.#db, replay);
  }

  /**
   * Makes the next step that is due. Returns false if none is.
   * @throws PlatformError `DATABASE_*`: the step can be tried again
   */
  async step(): Promise<boolean> {
    const replay = await findDueReplay(this.#db);
    if (!replay) return false;
    try {
      const page = await this.#readPage(replay);
      await this.#db.transaction((tx) => this.#replayPage(tx, replay, page));
      this.#log.hint(replay.topic);
    } catch (error) {
      // Any other error would come again at each step.
      if (!(error instanceof PlatformError) || error.retryable) throw error;
      const ended = { id: replay.id, within: 'all' } as const;
      await endReplay(this.#db, ended, { state: 'failed', error: error.message });
    }
    return true;
  }

  /**
   * Reads the next page, outside of the transaction: on the embedded database the read would wait for
   * the end of its own transaction.
   */
  async #readPage(replay: DueReplay): Promise<EventPage> {
    const { topic, application, withUnnamed, filter, position, allowance } = replay;
    const { dryRun, createdAt } = replay;
    // Replays of the version before, which knew no applications, are of all.
    const within: Applications = application === null ? 'all' : [application];
    const { until = createdAt, ...picked } = parseEventFilter(filter);
    return this.#log.listEvents({
      ...picked,
      within,
      withUnnamed,
      topics: [deadLetterTopic(topic)],
      until: new Date(Math.min(until.getTime(), createdAt.getTime())),
      cursor: position,
      limit: dryRun ? maxStepLetters : Math.min(allowance, maxStepLetters),
      maxBytes: maxStepBytes,
    });
  }

  async #replayPage(tx: Transaction, replay: DueReplay, page: EventPage): Promise<void> {
    if (!(await lockReplayStep(tx, replay))) return;
    const { topic, filter, dryRun, again, id } = replay;
    const matching = page.records.filter((record) => isOfGroup(record, filter.group));
    const returnable = matching.filter((letter) => toReplay(letter)?.topic === topic);
    const chosen = dryRun
      ? await findNotReplayed(tx, returnable, again)
      : await markReplayed(tx, returnable, again);
    const lastAt = page.records.at(-1)?.timestampMs;
    await advanceReplay(tx, id, {
      position: page.next,
      isLast: page.isLast,
      matched: matching.length,
      replayed: dryRun ? 0 : chosen.length,
      skipped: matching.length - chosen.length,
      readUntil: lastAt === undefined ? undefined : new Date(lastAt),
    });
    if (dryRun) return;
    // Last: readers of the topic wait for the end of the transaction.
    await this.#log.append(tx, chosen.flatMap(toLogRecord), { keyOrder: 'append', notify: false });
  }
}

async function findNotReplayed(
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
