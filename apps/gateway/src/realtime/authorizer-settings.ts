/*
 * Members of the authorizers in the file of POSTHASTE_REALTIME_CONFIG. Each member has a check that
 * returns its fault for people, behind the name of the member; undefined for a good value.
 */

import {
  type Authorizer,
  createCognitoAuthorizer,
  createIamAuthorizer,
  createOidcAuthorizer,
  createWebhookAuthorizer,
  createWebhookCall,
  type IamKey,
  type WebhookHttp,
} from '@posthaste/appsync-server';
import { isJsonObject } from '@posthaste/contracts';
import type { ApplicationStates } from '../access/application-access.js';

/** Object of the file. */
export type Entry = Readonly<Record<string, unknown>>;

/** Parts that authorizers use. */
export interface AuthorizerDeps {
  /** Client for webhook authorizers. */
  readonly http: WebhookHttp;
  readonly states: Pick<ApplicationStates, 'isDeleting'>;
  /** Called when a webhook authorizer fails. */
  readonly onError: (error: unknown) => void;
}

type Check = (value: unknown) => string | undefined;

/** Authorizer of one type. */
interface AuthorizerType {
  readonly required: Readonly<Record<string, Check>>;
  readonly optional: Readonly<Record<string, Check>>;
  /** Creates it of checked members; `realm` is the application. */
  create(members: Entry & { readonly realm: string }, deps: AuthorizerDeps): Authorizer;
}

/** Longest time for which a webhook's answer is used again, in s. As AWS. */
const maxTtlSeconds = 3_600;
const maxTimeoutMs = 60_000;
const userPoolPattern = /^[a-z]{2}(?:-[a-z]+)+-\d+_[A-Za-z0-9]+$/;
const regionPattern = /^[a-z0-9-]{1,64}$/;
const accountPattern = /^\d{12}$/;
const headerNamePattern = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const headerValuePattern = /^[\t\x20-\x7e]*$/;

const checks = {
  text: textFault,
  url: urlFault,
  texts: (value) =>
    isText(value) || isList(value, isText)
      ? undefined
      : 'must be a text, or a list with at least one text',
  textList: (value) => (isList(value, isText) ? undefined : 'must be a list of texts'),
  headers: (value) =>
    isJsonObject(value) && Object.entries(value).every(isHeader)
      ? undefined
      : 'must be an object of names and texts of HTTP headers',
  userPoolId: (value) => matchFault(value, userPoolPattern, 'the id of a pool, as eu-west-1_abc'),
  region: (value) => matchFault(value, regionPattern, 'the name of a region, as eu-west-1'),
  accountId: (value) => matchFault(value, accountPattern, 'a text of 12 digits'),
  ttlSeconds: (value) => wholeNumberFault(value, 0, maxTtlSeconds),
  timeoutMs: (value) => wholeNumberFault(value, 1, maxTimeoutMs),
  keys: keysFault,
} as const satisfies Record<string, Check>;

/** Types of authorizers, by the member `type`. */
export const authorizerTypes: Readonly<Record<string, AuthorizerType>> = {
  oidc: {
    required: { issuer: checks.url },
    optional: { audience: checks.texts, jwksUrl: checks.url },
    create: (members) => createOidcAuthorizer(members as never),
  },
  cognito: {
    required: { userPoolId: checks.userPoolId },
    optional: { clientId: checks.texts, issuer: checks.url, jwksUrl: checks.url },
    create: (members) => createCognitoAuthorizer(members as never),
  },
  iam: {
    required: { keys: checks.keys },
    optional: { region: checks.region, hosts: checks.textList },
    create: ({ realm, keys, ...members }) => {
      const bound = (keys as readonly Omit<IamKey, 'realm'>[]).map((key) => ({ ...key, realm }));
      return createIamAuthorizer({ ...members, keys: bound });
    },
  },
  webhook: {
    required: { url: checks.url },
    optional: {
      headers: checks.headers,
      ttlSeconds: checks.ttlSeconds,
      timeoutMs: checks.timeoutMs,
      apiId: checks.text,
      accountId: checks.accountId,
    },
    create: ({ url, headers, ...members }, { http, onError }) => {
      const { timeoutMs } = members;
      const ask = createWebhookCall({ url, headers, timeoutMs, http } as never);
      return createWebhookAuthorizer({ ...members, onError, ask });
    },
  },
};

/** Returns the faults of the members of an authorizer, besides `type` and `application`. */
export function memberFaults({ required, optional }: AuthorizerType, members: Entry): string[] {
  const missing = Object.keys(required).filter((name) => members[name] === undefined);
  const known = { ...required, ...optional };
  const faults = Object.entries(members).flatMap(([name, value]) => {
    const check = Object.hasOwn(known, name) ? known[name] : undefined;
    if (check === undefined) {
      return [`${name} is unknown; the members are ${Object.keys(known).join(', ')}`];
    }
    const fault = check(value);
    return fault === undefined ? [] : [`${name} ${fault}`];
  });
  return [...missing.map((name) => `${name} is missing`), ...faults];
}

function textFault(value: unknown): string | undefined {
  return isText(value) ? undefined : 'must be a text that is not empty';
}

function urlFault(value: unknown): string | undefined {
  const isUrl = isText(value) && URL.canParse(value) && /^https?:\/\//.test(value);
  return isUrl ? undefined : 'must be an address that begins with https:// or http://';
}

function matchFault(value: unknown, pattern: RegExp, what: string): string | undefined {
  return isText(value) && pattern.test(value) ? undefined : `must be ${what}`;
}

function wholeNumberFault(value: unknown, min: number, max: number): string | undefined {
  const isValid = Number.isInteger(value) && (value as number) >= min && (value as number) <= max;
  return isValid ? undefined : `must be a whole number from ${min} to ${max}`;
}

function keysFault(value: unknown): string | undefined {
  const isKey = (key: unknown): boolean => {
    if (!isJsonObject(key)) return false;
    const { accessKeyId, secretAccessKey, sessionToken = 'none', ...others } = key as Entry;
    return (
      [accessKeyId, secretAccessKey, sessionToken].every(isText) && Object.keys(others).length === 0
    );
  };
  if (isList(value, isKey)) return undefined;
  return 'must be a list of objects with the texts accessKeyId and secretAccessKey, and sessionToken for temporary keys';
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}

/** True for a list that is not empty, of which every item fits. */
function isList(value: unknown, fits: (item: unknown) => boolean): boolean {
  return Array.isArray(value) && value.length > 0 && value.every((item) => fits(item));
}

function isHeader([name, value]: readonly [string, unknown]): boolean {
  return (
    headerNamePattern.test(name) && typeof value === 'string' && headerValuePattern.test(value)
  );
}
