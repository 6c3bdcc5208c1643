import { type CallbackEventName, PlatformError } from '@posthaste/contracts';
import { toEventBody } from '../events/subscribed-event.js';
import { spanContextSql } from '../request/trace-headers.js';
import { singleAttempt } from '../retry/retry-policy.js';
import { toResultEvents } from './result-events.js';
import type { RecordedResult } from './result-store.js';

/*
 * The SQL expression that builds the envelope of an event about a delivery.
 *
 * The shape of an event is defined only in result-events.ts: the expression has the members that
 * `toResultEvents` gives the event of an example delivery, with the values of the row instead of
 * the example's.
 */

/** SQL for the values of members, by name; all other members are as in the example. */
const memberValues: Readonly<Record<string, string>> = {
  namespace: `nullif(g.application, '')`,
  spanContext: spanContextSql('g.traceparent'),
  timestamp: '$16::text',
  timestampUnixNano: '$17::bigint',
  callbackId: 'g.key',
  endpointId: 'g.endpoint_id',
  attempt: 'g.attempts',
  attempts: 'g.attempts',
  durationNs: 'g.duration_ns',
  latencyMs: 'g.latency_ms',
  statusCode: 'g.status_code',
};

/** Members that an event lacks when their value is null. */
const optionalMembers: ReadonlySet<string> = new Set(['namespace', 'spanContext', 'endpointId']);

/**
 * Returns the names of the events about a delivery that succeeded, in the order in which they
 * happen.
 */
export function deliveredEventNames(): CallbackEventName[] {
  const events = toResultEvents(example, () => true);
  return events.map(({ envelope }) => envelope.name as CallbackEventName);
}

/**
 * Returns SQL for the envelope of the event `name` about the row `g`, as text. Its members are
 * those of {@link memberValues} and `id`. Keys of the payload are sorted, as they are in the log.
 */
export function eventExpression(name: CallbackEventName, id: string): string {
  const values: Readonly<Record<string, string>> = { ...memberValues, id };
  const [event] = toResultEvents(example, (wanted) => wanted === name);
  if (!event) throw new PlatformError('INTERNAL', `there is no event ${name} about a delivery`);
  const { payload = {}, ...envelope } = JSON.parse(
    toEventBody(event.envelope).toString(),
  ) as Record<string, unknown>;
  const inside = Object.entries(payload as object).sort(([a], [b]) => (a < b ? -1 : 1));
  const text = new TextExpression('{');
  for (const member of Object.entries(envelope)) text.addMember(member, values[member[0]], ',');
  text.addText('"payload":{');
  inside.forEach((member, i) => {
    text.addMember(member, values[member[0]], i < inside.length - 1 ? ',' : '');
  });
  text.addText('}}');
  return text.toSql();
}

/** SQL expression that concatenates texts and values. A value that is null adds nothing. */
class TextExpression {
  readonly #arguments: string[] = [];
  #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  /**
   * Adds a member of a JSON object, with the value that `sql` gives, else the example's `value`.
   */
  addMember([key, value]: [string, unknown], sql: string | undefined, comma: ',' | ''): void {
    if (sql === undefined) {
      this.addText(`"${key}":${JSON.stringify(value)}${comma}`);
      return;
    }
    const quote = typeof value === 'string' ? '"' : '';
    const [before, after] = [`"${key}":${quote}`, `${quote}${comma}`];
    if (optionalMembers.has(key)) {
      this.#addSql(`'${before}' || ${sql} || '${after}'`);
      return;
    }
    this.addText(before);
    this.#addSql(sql);
    this.addText(after);
  }

  addText(text: string): void {
    this.#text += text;
  }

  #addSql(expression: string): void {
    this.#arguments.push(`'${this.#text}'`, expression);
    this.#text = '';
  }

  toSql(): string {
    return `concat(${[...this.#arguments, `'${this.#text}'`].join(', ')})`;
  }
}

/** Recorded delivery with every value that an event about a delivery can have. */
const example = {
  result: {
    delivery: {
      callbackId: 'example',
      leaseToken: '',
      ordered: false,
      application: 'example',
      queue: undefined,
      endpointId: 'example',
      leaseIndex: 0,
      fairnessKey: '',
      failures: 0,
      unknowns: 0,
      cancelled: false,
      echo: 0,
      createdAtMs: 0,
      expiresAtMs: undefined,
      request: {
        url: '',
        method: '',
        headers: { traceparent: `00-${'1'.repeat(32)}-${'1'.repeat(16)}-01` },
        body: undefined,
        policy: singleAttempt,
        timeoutMs: 0,
        secret: undefined,
        notificationEmail: undefined,
      },
      largeBodyBytes: undefined,
    },
    attempt: {
      startedAtMs: 0,
      durationNs: 0n,
      statusCode: 200,
      reason: undefined,
      detail: undefined,
      responseHeaders: undefined,
      responseBody: undefined,
      truncated: false,
      cut: false,
      resent: false,
    },
    verdict: { kind: 'ended', ending: 'delivered' },
    keepLease: false,
  },
  ending: 'delivered',
  parked: false,
} as const satisfies RecordedResult;
