import { idTime } from '@posthaste/contracts';
import type { Ending } from '../delivery/delivery.js';
import type { CallbackFilter } from '../lookup/callback-filter.js';

/** Endings that can be replayed. `expired` is none: such a callback would only expire again. */
export type ReplayableEnding = Exclude<Ending, 'expired'>;

/** Filter of the callbacks to replay. It is checked when the scan of the replay reaches them. */
export interface ReplayFilter extends Omit<CallbackFilter, 'state'> {
  /** Ending that the callback must have at that moment. */
  readonly state: ReplayableEnding;
}

/**
 * A job that delivers many callbacks once more, oldest first, and so in the order of their queues.
 * It covers only callbacks that were accepted before it was created, each of them once.
 */
export interface Replay {
  readonly id: string;
  /** Application that it belongs to; absent: it is for all, and only callers for all see it. */
  readonly application: string | undefined;
  readonly filter: ReplayFilter;
  readonly ratePerSecond: number;
  readonly state: 'running' | 'done' | 'cancelled';
  /** Number of callbacks scanned so far, whether they match the filter or not. */
  readonly scanned: number;
  /** Number of callbacks requeued so far. */
  readonly replayed: number;
  /** All callbacks accepted before this moment were scanned; absent before the first step. */
  readonly scannedUntil: Date | undefined;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

/** Row of the table `replay`. */
export interface ReplayRow {
  readonly id: string;
  readonly filter: StoredFilter;
  readonly rate_per_second: number;
  readonly state: Replay['state'];
  readonly position: string | null;
  readonly scanned: bigint;
  readonly replayed: bigint;
  readonly created_at: Date;
  readonly updated_at: Date;
}

/** A filter as it is stored in JSON, with moments as text. */
type StoredFilter = Omit<ReplayFilter, 'createdFrom' | 'createdTo'> & {
  readonly createdFrom?: string;
  readonly createdTo?: string;
};

/** Returns SQL for the application that a replay belongs to; null for one of all. */
export const applicationOf = (replay: string): string => `(${replay}.filter ->> 'application')`;

/** Converts a row. */
export function toReplay(row: ReplayRow): Replay {
  return {
    id: row.id,
    application: row.filter.application,
    filter: toFilter(row.filter),
    ratePerSecond: row.rate_per_second,
    state: row.state,
    scanned: Number(row.scanned),
    replayed: Number(row.replayed),
    scannedUntil: row.position === null ? undefined : idTime(row.position),
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}

/** Converts the filter of a row. */
export function toFilter({ createdFrom, createdTo, ...rest }: StoredFilter): ReplayFilter {
  return {
    ...rest,
    ...(createdFrom === undefined ? {} : { createdFrom: new Date(createdFrom) }),
    ...(createdTo === undefined ? {} : { createdTo: new Date(createdTo) }),
  };
}
