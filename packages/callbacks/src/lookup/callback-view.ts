import type {
  Attempt,
  CallbackState,
  DeliveryRequest,
  Ending,
  FailureReason,
  Hold,
} from '../delivery/delivery.js';

/** One attempt of a callback, as the history has it. */
export interface AttemptView extends Attempt {
  /** Number of the lease it was made under. It increases with each lease, also across replays. */
  readonly step: number;
}

/** A worker's lease of a callback. */
export interface LeaseView {
  readonly step: number;
  /** Name of the worker. */
  readonly machine: string;
  readonly acquiredAt: Date;
  /** End of the lease, unless the result was written earlier. */
  readonly until: Date;
  /**
   * Time at which the result was written. Absent while the attempt runs, or if it was never
   * written.
   */
  readonly completedAt: Date | undefined;
  /** Reason why nothing was sent under it, for people. */
  readonly note: string | undefined;
}

/** Members that a callback has in lists and on its own. */
interface CallbackStatus {
  readonly id: string;
  readonly application: string;
  readonly queue: string | undefined;
  readonly endpointId: string | undefined;
  readonly state: CallbackState;
  /** Present while `held`. A parked callback has ended as `failed` or `expired`. */
  readonly hold: Hold | undefined;
  readonly createdAt: Date;
  /** No attempt starts before this moment. Present while `waiting`, `pending` or `held`. */
  readonly dueAt: Date | undefined;
  /** Time of its ending; absent while it is alive. */
  readonly endedAt: Date | undefined;
}

/** A callback with its attempts and leases. */
export interface CallbackView extends CallbackStatus {
  /** True if it was cancelled while leased: the running attempt is its last one. */
  readonly cancelling: boolean;
  readonly request: DeliveryRequest;
  readonly expiresAt: Date | undefined;
  /** Attempts, oldest first. */
  readonly attempts: readonly AttemptView[];
  /** Leases, oldest first, the running one included. */
  readonly leases: readonly LeaseView[];
  /** True if older leases and attempts were left out, because there are more than 1,000. */
  readonly shortened: boolean;
}

/** A callback as lists show it. */
export interface CallbackSummary extends CallbackStatus {
  readonly method: string;
  readonly url: string;
  /** Absent before the first attempt. */
  readonly lastAttempt: AttemptSummary | undefined;
}

/** An attempt as lists show it. */
export interface AttemptSummary {
  readonly startedAtMs: number;
  readonly durationNs: bigint;
  /** 0 when there was no answer. */
  readonly statusCode: number;
  readonly reason: FailureReason | undefined;
}

/** Columns of the tables `head` and `waiting`, which have the callbacks that are alive. */
export interface LiveColumns {
  /** The table that has the callback; null when it has ended. */
  readonly live: 'head' | 'waiting' | null;
  readonly hold: Hold | null;
  readonly lease_token: string | null;
  readonly due_at: Date | null;
}

/** Row of the table `history`. */
export interface HistoryRow {
  readonly step: number;
  readonly machine: string | null;
  readonly leased_at: Date | null;
  readonly leased_until: Date | null;
  readonly completed_at: Date | null;
  readonly started_ms: number | null;
  readonly duration_ns: bigint | null;
  readonly status_code: number | null;
  readonly reason: FailureReason | null;
  readonly detail: string | null;
  readonly response_headers: [string, string][] | null;
  readonly response_body: Buffer | null;
  readonly truncated: boolean;
  readonly cut: boolean;
  readonly resent: boolean;
  readonly ending: Ending | null;
  readonly recorded_at: Date;
}

/**
 * Returns the state of a callback. A callback that has ended has the ending of its last history
 * row. `undefined` when it is neither alive nor ended: retention is just dropping it.
 */
export function toState(live: LiveColumns, lastEnding: Ending | null): CallbackState | undefined {
  if (live.live === 'waiting') return 'waiting';
  if (live.live === null) return lastEnding ?? undefined;
  if (live.lease_token !== null) return 'leased';
  return live.hold === null ? 'pending' : 'held';
}

/** Returns when the next attempt may start. Under a lease the column has the end of the lease. */
export function toDueAt(live: LiveColumns): Date | undefined {
  return live.lease_token === null ? (live.due_at ?? undefined) : undefined;
}

/** Returns the attempt of a history row; `undefined` when nothing was sent under its lease. */
export function toAttempt(row: HistoryRow): AttemptView | undefined {
  if (row.status_code === null) return undefined;
  return {
    step: row.step,
    startedAtMs: row.started_ms ?? 0,
    durationNs: row.duration_ns ?? 0n,
    statusCode: row.status_code,
    reason: row.reason ?? undefined,
    detail: row.detail ?? undefined,
    responseHeaders: row.response_headers ?? undefined,
    responseBody: row.response_body ?? undefined,
    truncated: row.truncated,
    cut: row.cut,
    resent: row.resent,
  };
}

/** Returns the lease of a history row; `undefined` when no worker wrote it, as for a cancel. */
export function toLease(row: HistoryRow): LeaseView | undefined {
  if (row.leased_at === null || row.leased_until === null) return undefined;
  return {
    step: row.step,
    machine: row.machine ?? '',
    acquiredAt: row.leased_at,
    until: row.leased_until,
    completedAt: row.completed_at ?? undefined,
    note: row.status_code === null ? (row.detail ?? undefined) : undefined,
  };
}

/** True if the URL has this host. A host without a port matches any port. */
export function hasHost(url: string, host: string): boolean {
  const parsed = URL.parse(url);
  const wanted = host.toLowerCase();
  return parsed !== null && (parsed.hostname === wanted || parsed.host === wanted);
}
