import type {
  Attempt,
  CallbackState,
  DeliveryRequest,
  Ending,
  FailureReason,
} from '../delivery/delivery.js';

/** What stops a callback: its queue is paused, its queue is parked, its endpoint takes nothing. */
export type Hold = 'paused' | 'parked' | 'endpoint';

/** One attempt of a callback, as the history keeps it. */
export interface AttemptView extends Attempt {
  /** Increases from lease to lease of the callback, through replays too. */
  readonly step: number;
}

/** A worker's hold on the callback. */
export interface LeaseView {
  readonly step: number;
  readonly machine: string;
  readonly acquiredAt: Date;
  /** When it ran out, or would have. */
  readonly until: Date;
  /** When its result was written; absent while it runs, and for good when the worker vanished. */
  readonly completedAt: Date | undefined;
}

/** A callback with everything that happened to it. */
export interface CallbackView {
  readonly id: string;
  readonly application: string;
  readonly queue: string | undefined;
  readonly endpointId: string | undefined;
  readonly state: CallbackState;
  /** Present while `held`. A parked one has ended as `failed` or `expired`, see its attempts. */
  readonly hold: Hold | undefined;
  /** It was cancelled under a lease: the attempt under way is its last. */
  readonly cancelling: boolean;
  readonly request: DeliveryRequest;
  readonly createdAt: Date;
  readonly expiresAt: Date | undefined;
  /** No attempt starts before this; while `waiting`, `pending` or `held`. */
  readonly dueAt: Date | undefined;
  /** When it got to its ending; absent while it is alive. */
  readonly endedAt: Date | undefined;
  /** Oldest first. */
  readonly attempts: readonly AttemptView[];
  /** Oldest first, the running one included. */
  readonly leases: readonly LeaseView[];
  /** Older leases and attempts were left out, because there are too many of them. */
  readonly shortened: boolean;
}

/** A callback in a list. */
export interface CallbackSummary {
  readonly id: string;
  readonly application: string;
  readonly queue: string | undefined;
  readonly endpointId: string | undefined;
  readonly state: CallbackState;
  readonly hold: Hold | undefined;
  readonly method: string;
  readonly url: string;
  readonly createdAt: Date;
  readonly dueAt: Date | undefined;
  readonly endedAt: Date | undefined;
  /** Absent before the first one. */
  readonly lastAttempt: AttemptSummary | undefined;
}

export interface AttemptSummary {
  readonly startedAtMs: number;
  readonly durationNs: bigint;
  /** 0 when there was no answer. */
  readonly statusCode: number;
  readonly reason: FailureReason | undefined;
}

/** Where a callback stands while it is alive, as the tables `head` and `waiting` say. */
export interface LiveColumns {
  readonly live: 'head' | 'waiting' | null;
  readonly hold: Hold | null;
  readonly lease_token: string | null;
  readonly due_at: Date | null;
}

/** A row of the table `history`. */
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
 * The state of a callback: where it stands while it is alive, else the ending of its last row of
 * history. `undefined` when it is neither: its retention is over and it is just being dropped.
 */
export function toState(live: LiveColumns, lastEnding: Ending | null): CallbackState | undefined {
  if (live.live === 'waiting') return 'waiting';
  if (live.live === null) return lastEnding ?? undefined;
  if (live.lease_token !== null) return 'leased';
  return live.hold === null ? 'pending' : 'held';
}

/** When the next attempt may start. Under a lease, the column holds the end of the lease. */
export function toDueAt(live: LiveColumns): Date | undefined {
  return live.lease_token === null ? (live.due_at ?? undefined) : undefined;
}

/** The attempt of a row of history; `undefined` when nothing was sent under its lease. */
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

/** The lease of a row of history; `undefined` when no worker was part of it, as in a cancel. */
export function toLease(row: HistoryRow): LeaseView | undefined {
  if (row.leased_at === null || row.leased_until === null) return undefined;
  return {
    step: row.step,
    machine: row.machine ?? '',
    acquiredAt: row.leased_at,
    until: row.leased_until,
    completedAt: row.completed_at ?? undefined,
  };
}

/** Whether a URL points to this host, given with its port or, for any port, without. */
export function hasHost(url: string, host: string): boolean {
  const parsed = URL.parse(url);
  const wanted = host.toLowerCase();
  return parsed !== null && (parsed.hostname === wanted || parsed.host === wanted);
}
