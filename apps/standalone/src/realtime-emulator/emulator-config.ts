import { readFile } from 'node:fs/promises';
import { extname, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type {
  AuthMode,
  CognitoOptions,
  IamKey,
  Limits,
  Namespace,
  OidcOptions,
} from '@posthaste/appsync-server';
import { PlatformError } from '@posthaste/contracts';
import { findEmulatorFault } from './emulator-faults.js';

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
  /** Default: those of AWS. */
  readonly limits?: Partial<Limits>;
  /** Region in the printed configuration. Default `us-east-1`. */
  readonly region?: string;
}

/** Loads a configuration file: `.json`, or an ES module. @throws PlatformError `CONFIG_INVALID` */
export async function loadEmulatorConfig(file: string): Promise<EmulatorConfig> {
  const config = await load(file);
  const fault = findEmulatorFault(config);
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
