import {
  createEnvelope,
  type EventEnvelope,
  type JsonObject,
  stringifyExactJson,
} from '@posthaste/contracts';
import type { Transaction } from '@posthaste/postgres';
import { insertEntry } from './audit-store.js';
import type { AuditEntry, Change, TargetState } from './change.js';
import { maskSecrets } from './mask-secrets.js';
import { changedPointers } from './state-difference.js';

/** Topic of the event log that has the events of the audit log. */
export const auditEventTopic = 'audit';

/** Event about an entry, on its way into the event log. */
export interface AuditEvent {
  readonly topic: typeof auditEventTopic;
  /** `<kind>/<id>` of the target: events of one target are in order. */
  readonly key: string;
  /** `audit.recorded`. Its namespace is the application, empty for none; its payload is the entry. */
  readonly envelope: EventEnvelope;
  /** Application of the entry, for the header of the record. */
  readonly application: string | undefined;
}

/** Receiver of the events: the event log. Events are part of the transaction of the change. */
export interface AuditEventSink {
  append(tx: Transaction, events: readonly AuditEvent[]): Promise<unknown>;
}

/** Records a change in the transaction that makes it. */
export type RecordChange = (tx: Transaction, change: Change) => Promise<AuditEntry>;

/** Largest state that is kept, in characters of JSON. Of a larger one, the largest members go. */
const maxStateLength = 32_768;

/** Most characters of names, addresses and notes. */
const maxTextLength = 512;

/**
 * Creates the function that records changes: it masks their secrets, adds an entry to the audit log,
 * and emits `audit.recorded`. Call it last in a transaction: readers of the event log wait for the
 * end of a transaction that has appended.
 * @param events default: no events
 */
export function createChangeRecorder(events?: AuditEventSink): RecordChange {
  return async (tx, change) => {
    const entry = await insertEntry(tx, toEntry(change));
    await events?.append(tx, [toAuditEvent(entry)]);
    return entry;
  };
}

function toEntry(change: Change): Omit<AuditEntry, 'id' | 'time'> {
  const { before, after } = change;
  const { actor, target, origin = {} } = change;
  return {
    application: change.application,
    actor: { kind: actor.kind, id: toText(actor.id), name: toText(actor.name) },
    action: change.action,
    target: { kind: target.kind, id: toText(target.id), name: toText(target.name) },
    before: before && toKeptState(before),
    after: after && toKeptState(after),
    // Compared before they are masked, so that a change of a secret is seen.
    changed: changedPointers(before, after).map(toText),
    origin: {
      address: toOptionalText(origin.address),
      userAgent: toOptionalText(origin.userAgent),
      requestId: toOptionalText(origin.requestId),
    },
    note: toOptionalText(change.note),
  };
}

function toText(text: string): string {
  return String(maskSecrets(text)).slice(0, maxTextLength).toWellFormed();
}

function toOptionalText(text: string | undefined): string | undefined {
  return text === undefined ? undefined : toText(text);
}

function toKeptState(state: TargetState): TargetState {
  const masked = maskSecrets(state) as TargetState;
  const sizes = Object.entries(masked).map(
    ([name, value]) => [name, stringifyExactJson(value)?.length ?? 0] as const,
  );
  let size = sizes.reduce((sum, [name, length]) => sum + name.length + length, 0);
  const kept: Record<string, unknown> = { ...masked };
  for (const [name, length] of sizes.sort(([, a], [, b]) => b - a)) {
    if (size <= maxStateLength) break;
    kept[name] = `… (${length} characters)`;
    size -= length;
  }
  return kept;
}

function toAuditEvent(entry: AuditEntry): AuditEvent {
  const { application, target } = entry;
  const envelope = createEnvelope({
    name: 'audit.recorded',
    namespace: application ?? '',
    payload: toAuditJson(entry),
  });
  return { topic: auditEventTopic, key: `${target.kind}/${target.id}`, envelope, application };
}

/** Returns an entry as the API and the events show it. */
export function toAuditJson(entry: AuditEntry): JsonObject {
  const { application, before, after, origin = {}, note } = entry;
  return {
    id: entry.id,
    time: entry.time.toISOString(),
    application: application ?? null,
    actor: { ...entry.actor },
    action: entry.action,
    target: { ...entry.target },
    // States are parsed JSON, or views of the API.
    before: (before ?? null) as JsonObject | null,
    after: (after ?? null) as JsonObject | null,
    changed: entry.changed,
    from: {
      address: origin.address ?? null,
      userAgent: origin.userAgent ?? null,
      requestId: origin.requestId ?? null,
    },
    note: note ?? null,
  };
}
