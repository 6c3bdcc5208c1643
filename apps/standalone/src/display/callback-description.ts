/** Callback with its attempts, as the gateway answers. */
export interface CallbackDetails {
  readonly id: string;
  readonly application: string;
  readonly queue: string | null;
  readonly state: string;
  readonly hold: string | null;
  readonly createdAt: string;
  readonly dueAt: string | null;
  readonly endedAt: string | null;
  readonly request: { readonly method: string; readonly url: string };
  readonly attempts: readonly AttemptDetails[];
  readonly leases: readonly LeaseDetails[];
}

/** Lease of a callback by a worker. */
export interface LeaseDetails {
  readonly machine: string;
  readonly acquiredAt: string;
  /** Reason why nothing was sent under it. */
  readonly note: string | null;
}

/** Attempt of a callback. */
export interface AttemptDetails {
  readonly startedAt: string;
  readonly durationMs: number;
  readonly statusCode: number;
  readonly reason: string | null;
  readonly detail: string | null;
}

/** Describes a callback for people: its request, its state at the moment `now`, and its attempts. */
export function describeCallback(callback: CallbackDetails, now: Date): string {
  const { application, queue, state, hold, dueAt, endedAt, request } = callback;
  const facts: (readonly [string, string | null])[] = [
    ['id', callback.id],
    ['state', hold === null ? state : `${state} (${hold})`],
    ['request', `${request.method} ${request.url}`],
    ['application', application || null],
    ['queue', queue],
    ['accepted', callback.createdAt],
    ['next attempt', hold === null && dueAt !== null ? describeDue(state, dueAt, now) : dueAt],
    ['ended', endedAt],
  ];
  const lines = facts.flatMap(([name, value]) =>
    value === null ? [] : [`${name.padEnd(12)}  ${value}`],
  );
  const attempts = callback.attempts.map((attempt, i) => `  ${i + 1}. ${describeAttempt(attempt)}`);
  const notes = describeLastLease(callback.leases.at(-1));
  const heading = attempts.length > 0 ? 'attempts' : 'no attempt yet';
  return [...lines, heading, ...attempts, ...notes].join('\n');
}

/** Returns a line about the last lease if nothing was sent under it. */
function describeLastLease(lease: LeaseDetails | undefined): string[] {
  return lease?.note ? [`${lease.acquiredAt}  ${lease.machine}  ${lease.note}`] : [];
}

/** A due callback waits for a worker, or for its host, which is left alone for a while after failures. */
function describeDue(state: string, dueAt: string, now: Date): string {
  if (Date.parse(dueAt) > now.getTime()) return dueAt;
  if (state === 'waiting') return 'after the callbacks ahead of it in its queue';
  return `as soon as its host may be tried again (due since ${dueAt})`;
}

function describeAttempt({ startedAt, durationMs, ...attempt }: AttemptDetails): string {
  const outcome = attempt.statusCode === 0 ? (attempt.reason ?? '') : String(attempt.statusCode);
  const detail = attempt.detail === null ? '' : `  ${attempt.detail}`;
  return `${startedAt}  ${durationMs.toFixed(1)} ms  ${outcome}${detail}`;
}
