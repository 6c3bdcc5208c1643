/*
 * File of POSTHASTE_REALTIME_CONFIG, in JSON:
 *
 *   { "namespaces": [{ "name": "chat", "application": "shop", "history": 50 }],
 *     "authorizers": [{ "type": "oidc", "application": "shop", "issuer": "https://id.example" }],
 *     "limits": { "eventsPerSecond": 50000 } }
 *
 * `type` is `oidc`, `cognito`, `iam` or `webhook`; authorizer-settings.ts has the other members. Each
 * authorizer has exactly one application, which never comes from a client. So an issuer, a user pool
 * and an IAM key are in the file for one application only. A namespace without an application is one
 * of all. `limits` and the lists of modes hold for the whole gateway (realtime-server-settings.ts).
 */

import { readFileSync } from 'node:fs';
import {
  type Authorizer,
  namespaceNameFault,
  namespaceSettingFaults,
  type ServerSettings,
} from '@posthaste/appsync-server';
import type { StoredNamespace } from '@posthaste/appsync-server/postgres';
import {
  type ApplicationRules,
  isApplicationName,
  isJsonObject,
  PlatformError,
} from '@posthaste/contracts';
import { parseTopicRules } from '@posthaste/eventstream';
import { refuseDeleting } from './application-names.js';
import {
  type AuthorizerDeps,
  authorizerTypes,
  type Entry,
  memberFaults,
} from './authorizer-settings.js';
import { serverFaults } from './realtime-server-settings.js';

/** Namespace of the file. */
export interface FileNamespace extends StoredNamespace {
  /** Default: all applications. */
  readonly application?: string | undefined;
}

/** Contents of the file. */
export interface RealtimeFile {
  readonly namespaces: readonly FileNamespace[];
  /** Limits, and modes of all namespaces that have none of their own. */
  readonly server: ServerSettings;
  /** Applications that it names. */
  readonly applications: readonly string[];
  /** Creates the authorizers, in the order in which they are asked. */
  createAuthorizers(deps: AuthorizerDeps): readonly Authorizer[];
}

const setting = 'POSTHASTE_REALTIME_CONFIG';
const noFile: RealtimeFile = {
  namespaces: [],
  server: {},
  applications: [],
  createAuthorizers: () => [],
};

/**
 * Reads the file. Without a path, it has nothing in it.
 * @param topicApplications rules that map topics to applications. Default: none
 * @throws PlatformError `CONFIG_INVALID` with every fault, each with the name of the member
 */
export function readRealtimeFile(
  path: string | undefined,
  topicApplications: readonly string[] = [],
): RealtimeFile {
  if (path === undefined) return noFile;
  const content = readJson(path);
  if (!isJsonObject(content)) throw invalid(['the file is not a JSON object']);
  const { namespaces = [], authorizers = [], ...others } = content as Entry;
  const faults = [
    ...serverFaults(others),
    ...listFaults('namespaces', namespaces, namespaceFaults),
    ...listFaults('authorizers', authorizers, authorizerFaults),
  ];
  if (faults.length === 0) {
    faults.push(
      ...repeatedNamespaces(namespaces as readonly FileNamespace[]),
      ...foreignTopics(namespaces as readonly FileNamespace[], parseTopicRules(topicApplications)),
      ...repeatedPrincipals(authorizers as readonly Entry[]),
    );
  }
  if (faults.length > 0) throw invalid(faults);
  return {
    namespaces: (namespaces as readonly Entry[]).map((entry) => withoutNull<FileNamespace>(entry)),
    server: withoutNull<ServerSettings>(others),
    applications: namesOf([...(namespaces as readonly Entry[]), ...(authorizers as Entry[])]),
    createAuthorizers: (deps) =>
      (authorizers as readonly Entry[]).toSorted(webhooksLast).map((entry) => {
        const { type, application, ...members } = entry;
        const { create } = authorizerTypes[String(type)] as (typeof authorizerTypes)[string];
        const realm = String(application);
        return refuseDeleting(create({ ...members, realm }, deps), realm, deps.states);
      }),
  };
}

function readJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    // The text of a fault in JSON has a part of the file in it, which may be a secret.
    const isJsonFault = error instanceof SyntaxError;
    const place = /at position \d+|line \d+ column \d+/.exec((error as Error).message)?.[0];
    const fault = isJsonFault ? `is not JSON${place ? ` (${place})` : ''}` : 'cannot be read';
    const reason = isJsonFault ? '' : `: ${(error as Error).message}`;
    throw invalid([`the file ${path} ${fault}${reason}`]);
  }
}

function namesOf(entries: readonly Entry[]): string[] {
  const names = entries.map(({ application }) => application ?? undefined);
  return [...new Set(names.filter((name) => typeof name === 'string'))];
}

/** Members that are null stand for the default. */
function withoutNull<Members>(entry: Entry): Members {
  const members = Object.entries(entry).filter(([, value]) => value !== null);
  return Object.fromEntries(members) as Members;
}

/** They accept every text, also the tokens of issuers. */
function webhooksLast(a: Entry, b: Entry): number {
  return Number(a.type === 'webhook') - Number(b.type === 'webhook');
}

function listFaults(
  name: string,
  value: unknown,
  faultsOf: (entry: Entry) => readonly string[],
): string[] {
  if (!Array.isArray(value)) return [`${name} is not a list`];
  return value.flatMap((entry, index) => {
    if (!isJsonObject(entry)) return [`${name}[${index}] is not an object`];
    return faultsOf(entry as Entry).map((fault) => `${name}[${index}].${fault}`);
  });
}

function namespaceFaults({ name, application, ...settings }: Entry): string[] {
  const fault = namespaceNameFault(name);
  const isNamed = application === undefined || isApplication(application);
  return [
    ...(fault === undefined ? [] : [`name ${fault}`]),
    ...(isNamed ? [] : ['application is not the name of an application']),
    ...namespaceSettingFaults(settings).map(({ field, message }) => `${field} ${message}`),
  ];
}

function authorizerFaults({ type, application, ...members }: Entry): string[] {
  const types = Object.keys(authorizerTypes);
  const found = types.includes(String(type)) ? authorizerTypes[String(type)] : undefined;
  if (found === undefined) return [`type must be one of ${types.join(', ')}`];
  const isBound = isApplication(application);
  return [
    ...(isBound ? [] : ['application must be the name of the one application that it is for']),
    ...memberFaults(found, members),
  ];
}

function isApplication(value: unknown): boolean {
  return typeof value === 'string' && value !== '' && isApplicationName(value);
}

function repeatedNamespaces(namespaces: readonly FileNamespace[]): string[] {
  const seen = new Set<string>();
  return namespaces.flatMap(({ name, application }, index) => {
    const key = `${application ?? ''}\n${name}`;
    if (seen.has(key)) return [`namespaces[${index}].name '${name}' is there twice`];
    seen.add(key);
    return [];
  });
}

/** Finds namespaces of one application that forward to a topic of another one. */
function foreignTopics(namespaces: readonly FileNamespace[], rules: ApplicationRules): string[] {
  return namespaces.flatMap(({ application, forwardTo }, index) => {
    if (application === undefined || (forwardTo ?? undefined) === undefined) return [];
    const topic = forwardTo?.topic ?? '';
    const owner = rules.ownerOf(topic);
    if (owner === undefined || owner === application) return [];
    return [`namespaces[${index}].forwardTo has the topic '${topic}', which is one of '${owner}'`];
  });
}

/** Finds issuers and pools of two applications, and IAM keys that are there twice. */
function repeatedPrincipals(authorizers: readonly Entry[]): string[] {
  const applications = new Map<string, unknown>();
  const keyIds = new Set<string>();
  return authorizers.flatMap((entry, index) => {
    const place = `authorizers[${index}]`;
    if (entry.type === 'webhook') return [];
    if (entry.type === 'iam') {
      const ids = (entry.keys as readonly { accessKeyId: string }[]).map((key) => key.accessKeyId);
      return ids.flatMap((id) => {
        if (keyIds.has(id)) return [`${place}.keys has '${id}', which is there twice`];
        keyIds.add(id);
        return [];
      });
    }
    const member = entry.type === 'oidc' ? 'issuer' : 'userPoolId';
    const name = String(entry[member]);
    const application = applications.get(name) ?? entry.application;
    applications.set(name, application);
    if (application === entry.application) return [];
    return [`${place}.${member} '${name}' is that of application '${application}' already`];
  });
}

function invalid(faults: readonly string[]): PlatformError {
  const lines = faults.map((fault) => `  - ${setting}: ${fault}.`);
  const message = ['the configuration is wrong:', ...lines].join('\n');
  const details = faults.map((fault) => ({ name: setting, message: fault }));
  return new PlatformError('CONFIG_INVALID', message, { details });
}
