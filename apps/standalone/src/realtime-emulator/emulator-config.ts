import { readFile } from 'node:fs/promises';
import { extname, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import {
  type AuthMode,
  type CognitoOptions,
  type IamKey,
  type Namespace,
  type OidcOptions,
  parseChannel,
} from '@posthaste/appsync-server';
import { PlatformError } from '@posthaste/contracts';

/**
 * Configuration of the emulator: the default export of an ES module, or JSON (which can hold no
 * functions). Everything may be left out.
 */
export interface EmulatorConfig {
  /** Names, or namespaces with their handlers. Default: `default`. */
  readonly namespaces?: readonly (string | Namespace)[];
  /** API keys that are accepted. Default: any text is. */
  readonly apiKeys?: readonly string[];
  /** Provider whose tokens are accepted. */
  readonly oidc?: OidcOptions;
  /** Cognito user pool whose tokens are accepted. */
  readonly cognito?: CognitoOptions;
  /** Lambda authorizer: gets the event of AWS, and returns the answer of AWS. */
  readonly lambda?: (event: unknown) => unknown;
  /** Keys that requests are signed with (SigV4). */
  readonly iam?: readonly IamKey[];
  readonly connectionAuthModes?: readonly AuthMode[];
  readonly defaultPublishAuthModes?: readonly AuthMode[];
  readonly defaultSubscribeAuthModes?: readonly AuthMode[];
  /** Region in the printed configuration. Default `us-east-1`. */
  readonly region?: string;
}

const known: ReadonlySet<string> = new Set([
  'namespaces',
  'apiKeys',
  'oidc',
  'cognito',
  'lambda',
  'iam',
  'connectionAuthModes',
  'defaultPublishAuthModes',
  'defaultSubscribeAuthModes',
  'region',
] satisfies (keyof EmulatorConfig)[]);

/** Loads a configuration file: `.json`, or an ES module. @throws PlatformError `CONFIG_INVALID` */
export async function loadEmulatorConfig(file: string): Promise<EmulatorConfig> {
  const config = await load(file);
  const fault = faultOf(config);
  if (fault === undefined) return config as EmulatorConfig;
  throw new PlatformError('CONFIG_INVALID', `${file}: ${fault}`);
}

async function load(file: string): Promise<unknown> {
  try {
    if (extname(file) === '.json') return JSON.parse(await readFile(file, 'utf8'));
    const loaded = (await import(pathToFileURL(resolve(file)).href)) as { default?: unknown };
    return loaded.default;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new PlatformError('CONFIG_INVALID', `${file} cannot be loaded: ${reason}`, { cause });
  }
}

/** Returns what is wrong with a configuration; undefined: nothing. */
function faultOf(config: unknown): string | undefined {
  if (typeof config !== 'object' || config === null || Array.isArray(config)) {
    return 'it must be an object: the default export of a module, or JSON';
  }
  const unknown = Object.keys(config).find((key) => !known.has(key));
  if (unknown !== undefined) {
    return `'${unknown}' is not known; it may have ${[...known].join(', ')}`;
  }
  const { namespaces, apiKeys, lambda } = config as EmulatorConfig;
  if (namespaces !== undefined && !(Array.isArray(namespaces) && namespaces.length > 0)) {
    return 'namespaces must be a list with at least one name or namespace';
  }
  for (const each of namespaces ?? []) {
    const name: unknown = typeof each === 'string' ? each : each?.name;
    if (typeof name === 'string' && parseChannel(name)?.segments.length === 1) continue;
    return `namespace ${JSON.stringify(name)} must have a name of 1 to 50 letters, digits and inner dashes`;
  }
  const areKeys =
    Array.isArray(apiKeys) && apiKeys.every((key) => typeof key === 'string' && key !== '');
  if (apiKeys !== undefined && !areKeys) return 'apiKeys must be a list of texts';
  if (lambda !== undefined && typeof lambda !== 'function') {
    return 'lambda must be a function, so the file must be an ES module';
  }
  return undefined;
}
