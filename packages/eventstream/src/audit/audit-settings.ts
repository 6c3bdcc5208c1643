import { PlatformError } from '@posthaste/contracts';

/** Where audit logs go. */
export interface AuditSettings {
  /** False: they are dropped. */
  readonly enabled: boolean;
  /** Without the prefix. */
  readonly topic: string;
}

const topicVariable = 'APP_EVENT_STREAM_AUDIT_LOG_TOPIC';
const enabledVariable = 'APP_EVENT_STREAM_AUDIT_LOG_ENABLED';
const defaultTopic = 'auditLog';

/** What Go's `strconv.ParseBool` takes. */
const truths: ReadonlySet<string> = new Set(['1', 't', 'T', 'true', 'TRUE', 'True']);
const lies: ReadonlySet<string> = new Set(['0', 'f', 'F', 'false', 'FALSE', 'False']);

/**
 * The settings that the Go SDK reads from its environment, from the one given; an empty variable is
 * none.
 * @throws PlatformError `OPTION_INVALID` when `APP_EVENT_STREAM_AUDIT_LOG_ENABLED` is neither true
 *   nor false: the Go SDK would drop every audit log then
 */
export function readAuditSettings(
  environment: Readonly<Record<string, string | undefined>>,
): AuditSettings {
  return {
    enabled: readEnabled(environment[enabledVariable] || 'true'),
    topic: environment[topicVariable] || defaultTopic,
  };
}

function readEnabled(value: string): boolean {
  if (truths.has(value)) return true;
  if (lies.has(value)) return false;
  throw new PlatformError('OPTION_INVALID', `${enabledVariable} is ${value}, not true or false`);
}
