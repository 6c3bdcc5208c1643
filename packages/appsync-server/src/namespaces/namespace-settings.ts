import {
  isEventName,
  isJsonObject,
  PlatformError,
  reservedNameFault,
  reservedTopicFault,
} from '@posthaste/contracts';
import type { AuthMode } from '../auth/authorizer.js';
import { ownPatternFault } from './channel-rules.js';
import { eventSchemaFault } from './event-schema.js';
import type { Namespace } from './namespace.js';

/** Settings of a namespace that is stored or configured: all but its name and its handlers. */
export interface NamespaceSettings extends Omit<Namespace, 'name' | 'handlers'> {
  /** Event that every published event is appended as, so that webhooks and Kafka get it. */
  readonly forwardTo?: ForwardTarget | undefined;
}

/** Topic and name of forwarded events. */
export interface ForwardTarget {
  readonly topic: string;
  readonly name: string;
}

/** Fault of a field. */
export interface SettingFault {
  readonly field: string;
  readonly message: string;
}

/** Names of topics that Kafka accepts, and events can be published to. */
const topicPattern = /^(?!.{250})[A-Za-z0-9]+(?:[._-][A-Za-z0-9]+)*$/;
/** Topics that only consumers write to, with events that they failed to handle. */
const derivedTopicPattern = /\.dlq$|\.retry\.\d+$/;
const namePattern = /^[A-Za-z0-9](?:[A-Za-z0-9-]{0,48}[A-Za-z0-9])?$/;
/** Namespace in which the platform mirrors its own events. */
const reservedName = 'posthaste';
const authModes: readonly AuthMode[] = [
  'API_KEY',
  'AMAZON_COGNITO_USER_POOLS',
  'OPENID_CONNECT',
  'AWS_LAMBDA',
  'AWS_IAM',
];
/** Largest event that a namespace may allow, in bytes. */
const maxEventBytes = 1_048_576;
const maxHistory = 10_000;

type Check = (value: unknown) => string | undefined;

const checks: Readonly<Record<keyof NamespaceSettings, Check>> = {
  publishAuthModes: authModesFault,
  subscribeAuthModes: authModesFault,
  maxEventBytes: (value) => wholeNumberFault(value, 1, maxEventBytes),
  history: (value) => wholeNumberFault(value, 0, maxHistory),
  schema: eventSchemaFault,
  ownChannels: ownPatternFault,
  durable: (value) => (typeof value === 'boolean' ? undefined : 'is neither true nor false'),
  forwardTo: forwardFault,
};

/** Returns the fault of the name of a namespace, for people; undefined if it can be used. */
export function namespaceNameFault(name: unknown): string | undefined {
  if (typeof name !== 'string' || !namePattern.test(name)) {
    return 'is not 1 to 50 letters, digits and inner dashes';
  }
  return name === reservedName ? 'is reserved for events of the platform itself' : undefined;
}

/** Returns the faults of settings; none if they can be used. */
export function namespaceSettingFaults(settings: unknown): SettingFault[] {
  if (!isJsonObject(settings)) return [{ field: 'settings', message: 'is not an object' }];
  return Object.entries(settings).flatMap(([field, value]) => {
    if (!Object.hasOwn(checks, field)) return [{ field, message: 'is no setting of a namespace' }];
    // Null and undefined stand for the default.
    if (value === undefined || value === null) return [];
    const message = checks[field as keyof NamespaceSettings](value);
    return message === undefined ? [] : [{ field, message }];
  });
}

/**
 * Returns checked settings. Members that are null are left out.
 * @throws PlatformError `REQUEST_INVALID`, with the faults as `details`
 */
export function parseNamespaceSettings(settings: unknown): NamespaceSettings {
  throwFaults(namespaceSettingFaults(settings));
  const entries = Object.entries(settings as object).filter(
    ([, value]) => (value ?? null) !== null,
  );
  return Object.fromEntries(entries) as NamespaceSettings;
}

/** @throws PlatformError `REQUEST_INVALID` if there are faults */
export function throwFaults(faults: readonly SettingFault[]): void {
  if (faults.length === 0) return;
  const message = faults.map((fault) => `${fault.field} ${fault.message}`).join('; ');
  throw new PlatformError('REQUEST_INVALID', message, { details: faults });
}

/** Returns the fault of a list of modes, for people; undefined if it can be used. */
export function authModesFault(value: unknown): string | undefined {
  const isList = Array.isArray(value) && value.length > 0 && value.length <= authModes.length;
  if (isList && value.every((mode) => authModes.includes(mode as AuthMode))) return undefined;
  return `is not a list of modes (${authModes.join(', ')})`;
}

function wholeNumberFault(value: unknown, min: number, max: number): string | undefined {
  const isValid = Number.isInteger(value) && (value as number) >= min && (value as number) <= max;
  return isValid ? undefined : `is not a whole number from ${min} to ${max}`;
}

function forwardFault(value: unknown): string | undefined {
  const { topic, name } = (isJsonObject(value) ? value : {}) as Readonly<Record<string, unknown>>;
  const isComplete =
    typeof topic === 'string' &&
    typeof name === 'string' &&
    Object.keys(value as object).length === 2;
  if (!isComplete) return 'is not an object of topic and name';
  if (!topicPattern.test(topic)) {
    return `has the topic '${topic}', which is no name of a topic: use at most 249 letters, digits, and single dots, _ and - between them`;
  }
  if (derivedTopicPattern.test(topic)) {
    return `has the topic '${topic}', but names that end in .dlq or .retry.<n> are reserved`;
  }
  if (!isEventName(name)) {
    return `has the name '${name}', which is no name of an event, such as chat.sent`;
  }
  const topicFault = reservedTopicFault(topic);
  if (topicFault !== undefined) return `has the topic '${topic}', which ${topicFault}`;
  const nameFault = reservedNameFault(name);
  return nameFault === undefined ? undefined : `has the name '${name}', which ${nameFault}`;
}
