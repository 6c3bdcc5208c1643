import { applicationHeader, type JsonObject, PlatformError } from '@posthaste/contracts';
import { toGoJson, toGoString } from '../envelope/go-json.js';
import type { OutgoingRecord } from '../record.js';
import { compactUuid4Rule, isCompactUuid4, newEventId } from '../rules/event-id.js';
import { invalidEvent } from '../rules/invalid-event.js';
import { toWireTopic } from '../rules/topic-name.js';
import { type AuditErrorCallback, AuditLogBuilder, type AuditLogRequest } from './audit-log.js';

/** Destination of audit logs. */
export interface AuditSettings {
  /** False: audit logs are dropped. */
  readonly enabled: boolean;
  /** Without the prefix. */
  readonly topic: string;
}

/** Options of `buildAuditLog`. */
export interface AuditBuildOptions {
  /** Prefix of the topic. Empty: no prefix. */
  readonly prefix: string;
  readonly settings: AuditSettings;
  /** Application that the log belongs to, for the header. Default: none. */
  readonly application?: string | undefined;
  /** Clock, in ms since 1970. Default `Date.now`. */
  readonly now?: (() => number) | undefined;
  /** Source of ids. Default: UUIDs v4 without hyphens. */
  readonly newId?: (() => string) | undefined;
}

/** An audit log, encoded. Its record has no headers. */
export interface BuiltAuditLog {
  /** As on the wire, with the prefix. */
  readonly topic: string;
  readonly record: OutgoingRecord & { readonly value: Buffer };
  readonly onError: AuditErrorCallback | undefined;
}

const topicVariable = 'APP_EVENT_STREAM_AUDIT_LOG_TOPIC';
const enabledVariable = 'APP_EVENT_STREAM_AUDIT_LOG_ENABLED';
const defaultTopic = 'auditLog';

/** Texts that Go's `strconv.ParseBool` accepts. */
const trueTexts: ReadonlySet<string> = new Set(['1', 't', 'T', 'true', 'TRUE', 'True']);
const falseTexts: ReadonlySet<string> = new Set(['0', 'f', 'F', 'false', 'FALSE', 'False']);

const actorTypes: readonly unknown[] = ['USER', 'CLIENT', 'ANONYMOUS'];
const required = ['category', 'actionName', 'actorNamespace', 'objectNamespace'] as const;
const optional = ['ip', 'objectId', 'objectType', 'targetUserId', 'deviceId'] as const;

/**
 * Reads the settings that the Go SDK reads from its environment. An empty variable counts as unset.
 * @throws PlatformError `OPTION_INVALID` when `APP_EVENT_STREAM_AUDIT_LOG_ENABLED` is neither true
 *   nor false: the Go SDK would then drop every audit log
 */
export function readAuditSettings(
  environment: Readonly<Record<string, string | undefined>>,
): AuditSettings {
  return {
    enabled: parseEnabled(environment[enabledVariable] || 'true'),
    topic: environment[topicVariable] || defaultTopic,
  };
}

function parseEnabled(value: string): boolean {
  if (trueTexts.has(value)) return true;
  if (falseTexts.has(value)) return false;
  throw new PlatformError(
    'OPTION_INVALID',
    `${enabledVariable} is "${value}"; set it to true or false`,
  );
}

/**
 * Validates an audit log, adds id and time, and encodes it as the Go SDK does.
 * @throws PlatformError `EVENT_INVALID` with `details.field`
 */
export function buildAuditLog(
  log: AuditLogRequest | AuditLogBuilder,
  options: AuditBuildOptions,
): BuiltAuditLog {
  const request = toAuditLogRequest(log);
  checkAuditLog(request);
  const { key = '' } = request;
  const { application } = options;
  return {
    topic: toWireTopic(options.prefix, options.settings.topic),
    record: {
      key: key === '' ? null : Buffer.from(key),
      value: Buffer.from(encode(request, options)),
      headers: application ? { [applicationHeader]: application } : {},
    },
    onError: request.onError,
  };
}

/** @throws PlatformError `EVENT_INVALID` when the log is not an object */
function toAuditLogRequest(log: AuditLogRequest | AuditLogBuilder): Partial<AuditLogRequest> {
  if (log instanceof AuditLogBuilder) return log.build();
  if (typeof log === 'object' && log !== null) return log;
  throw invalidEvent('unable to publish nil event', 'event', 'must be an object');
}

function checkAuditLog(
  log: Partial<Record<keyof AuditLogRequest, unknown>>,
): asserts log is AuditLogRequest {
  for (const field of required) {
    if (typeof log[field] !== 'string' || log[field] === '') throw invalid(field, 'must be given');
  }
  for (const field of ['actor', 'clientId'] as const) {
    if (!isCompactUuid4(log[field])) throw invalid(field, compactUuid4Rule);
  }
  if (!actorTypes.includes(log.actorType)) {
    throw invalid('actorType', `must be one of ${actorTypes.join(', ')}`);
  }
  for (const field of [...optional, 'key'] as const) {
    const value = log[field];
    if (value !== undefined && typeof value !== 'string') throw invalid(field, 'must be a string');
  }
  const { targetUserId, diff } = log;
  if (targetUserId !== undefined && targetUserId !== '' && !isCompactUuid4(targetUserId)) {
    throw invalid('targetUserId', compactUuid4Rule);
  }
  if (diff !== undefined && (typeof diff !== 'object' || diff === null)) {
    throw invalid('diff', 'must be an object');
  }
}

/** Writes the keys in the order of the wire. */
function encode(
  log: AuditLogRequest,
  { now = Date.now, newId = newEventId }: AuditBuildOptions,
): string {
  const { content, diff = {} } = log;
  const sides = [side('before', diff.before), side('after', diff.after)].filter(Boolean).join();
  const members = [
    `"_id":${toGoString(newId())}`,
    `"category":${toGoString(log.category)}`,
    `"actionName":${toGoString(log.actionName)}`,
    `"timestamp":${Math.floor(now())}`,
    unlessEmpty('ip', log.ip),
    `"actor":${toGoString(log.actor)}`,
    `"actorType":${toGoString(log.actorType)}`,
    `"clientId":${toGoString(log.clientId)}`,
    `"actorNamespace":${toGoString(log.actorNamespace)}`,
    unlessEmpty('objectId', log.objectId),
    unlessEmpty('objectType', log.objectType),
    `"objectNamespace":${toGoString(log.objectNamespace)}`,
    unlessEmpty('targetUserId', log.targetUserId),
    unlessEmpty('deviceId', log.deviceId),
    `"payload":{"content":${object('content', content ?? {})},"diff":{${sides}}}`,
  ];
  return `{${members.filter(Boolean).join()}}`;
}

function unlessEmpty(key: string, value: string | undefined): string {
  return value === undefined || value === '' ? '' : `"${key}":${toGoString(value)}`;
}

function side(key: 'before' | 'after', value: JsonObject | undefined): string {
  const json = value === undefined ? '{}' : object(key, value);
  return json === '{}' ? '' : `"${key}":${json}`;
}

function object(field: 'content' | 'before' | 'after', value: JsonObject): string {
  try {
    const json = toGoJson(value, 'payload');
    if (json.startsWith('{')) return json;
  } catch (error) {
    if (!(error instanceof PlatformError)) throw error;
    throw invalid(field, error.message);
  }
  throw invalid(field, 'must be a JSON object');
}

function invalid(field: string, reason: string): PlatformError {
  return invalidEvent("publish struct isn't valid", field, reason);
}
