/** A callback with its attempts, as the gateway answers. */
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
}

export interface AttemptDetails {
  readonly startedAt: string;
  readonly durationMs: number;
  readonly statusCode: number;
  readonly reason: string | null;
  readonly detail: string | null;
}

/** A callback for people at a moment: what it is, where it stands, what happened. */
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
  return [...lines, attempts.length > 0 ? 'attempts' : 'no attempt yet', ...attempts].join('\n');
}

/** What is due and not under way waits for a worker, or for a host that is spared after failures. */
function describeDue(state: string, dueAt: string, now: Date): string {
  if (Date.parse(dueAt) > now.getTime()) return dueAt;
  if (state === 'waiting') return 'after those ahead of it in its queue';
  return `as soon as its host is tried again (due since ${dueAt})`;
}

function describeAttempt({ startedAt, durationMs, ...attempt }: AttemptDetails): string {
  const outcome = attempt.statusCode === 0 ? (attempt.reason ?? '') : String(attempt.statusCode);
  const detail = attempt.detail === null ? '' : `  ${attempt.detail}`;
  return `${startedAt}  ${durationMs.toFixed(1)} ms  ${outcome}${detail}`;
}
