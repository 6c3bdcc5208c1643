import { type AuthMode, parseChannel, serverSettingFaults } from '@posthaste/appsync-server';
import { isJsonObject } from '@posthaste/contracts';

type Check = (value: unknown) => string | undefined;

const authModes: readonly string[] = [
  'API_KEY',
  'OPENID_CONNECT',
  'AMAZON_COGNITO_USER_POOLS',
  'AWS_LAMBDA',
  'AWS_IAM',
] satisfies AuthMode[];
const userPoolPattern = /^[a-z]{2}(?:-[a-z]+)+-\d+_[A-Za-z0-9]+$/;
const handlerNames: readonly string[] = ['onPublish', 'onSubscribe'];

/** Members of a configuration. Each check returns what is wrong, to be said behind the name. */
const members = {
  namespaces: namespacesFault,
  apiKeys: (value) => (isList(value, isText) ? undefined : 'must be a list of texts'),
  oidc: (value) =>
    isJsonObject(value) && isUrl(value.issuer)
      ? undefined
      : 'must be an object with the URL of the provider as issuer',
  cognito: (value) =>
    isJsonObject(value) && userPoolPattern.test(String(value.userPoolId))
      ? undefined
      : 'must be an object with a userPoolId, such as eu-west-1_abc',
  lambda: (value) =>
    typeof value === 'function'
      ? undefined
      : 'must be a function, so the file must be an ES module',
  iam: (value) =>
    isList(value, isIamKey)
      ? undefined
      : 'must be a list of objects with accessKeyId and secretAccessKey',
  connectionAuthModes: modesFault,
  defaultPublishAuthModes: modesFault,
  defaultSubscribeAuthModes: modesFault,
  limits: (limits) => serverSettingFaults({ limits })[0]?.message,
  region: (value) => (isText(value) ? undefined : 'must be a text, such as eu-west-1'),
} as const satisfies Record<string, Check>;

/** Returns what is wrong with a configuration; undefined: nothing. */
export function findEmulatorFault(config: unknown): string | undefined {
  if (!isJsonObject(config)) return 'it must be an object: the default export of a module, or JSON';
  for (const [name, value] of Object.entries(config)) {
    if (!Object.hasOwn(members, name)) {
      return `'${name}' is not known; it may have ${Object.keys(members).join(', ')}`;
    }
    const fault = value === undefined ? undefined : members[name as keyof typeof members](value);
    if (fault !== undefined) return `${name} ${fault}`;
  }
  return undefined;
}

function namespacesFault(value: unknown): string | undefined {
  if (!Array.isArray(value) || value.length === 0) {
    return 'must be a list with at least one name or namespace';
  }
  const names = new Set<unknown>();
  for (const each of value as unknown[]) {
    const { name, handlers } = isJsonObject(each) ? each : { name: each, handlers: undefined };
    const isName = typeof name === 'string' && parseChannel(name)?.segments.length === 1;
    if (!isName) {
      return `has ${JSON.stringify(name)}, and a name has 1 to 50 letters, digits and inner dashes`;
    }
    if (names.has(name)) return `has '${name}' twice`;
    names.add(name);
    const fault = handlersFault(handlers);
    if (fault !== undefined) return `has '${name}', ${fault}`;
  }
  return undefined;
}

function handlersFault(handlers: unknown): string | undefined {
  if (handlers === undefined) return undefined;
  if (!isJsonObject(handlers)) return 'whose handlers must be an object of functions';
  for (const [name, handler] of Object.entries(handlers)) {
    if (!handlerNames.includes(name)) return `whose handlers may be ${handlerNames.join(' and ')}`;
    const isHandler = handler === undefined || typeof handler === 'function';
    if (!isHandler) return `whose ${name} must be a function, so the file must be an ES module`;
  }
  return undefined;
}

function modesFault(value: unknown): string | undefined {
  const isMode = (each: unknown): boolean => authModes.includes(String(each));
  return isList(value, isMode) ? undefined : `must be a list of ${authModes.join(', ')}`;
}

function isList(value: unknown, fits: (each: unknown) => boolean): boolean {
  return Array.isArray(value) && value.every(fits);
}

function isText(value: unknown): boolean {
  return typeof value === 'string' && value !== '';
}

function isUrl(value: unknown): boolean {
  return typeof value === 'string' && /^https?:$/.test(URL.parse(value)?.protocol ?? '');
}

function isIamKey(value: unknown): boolean {
  return isJsonObject(value) && isText(value.accessKeyId) && isText(value.secretAccessKey);
}
