import { readFileSync } from 'node:fs';
import type { ConnectionOptions } from 'node:tls';
import { PlatformError } from '@posthaste/contracts';
import { isTlsFailure, sqlState } from '../errors.js';

/** Options of TLS, or false for none. */
type Choice = ConnectionOptions | false;

const modes = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'] as const;
type Mode = (typeof modes)[number];

/** Spellings of the driver that libpq does not have. */
const modeBySpelling: Readonly<Record<string, Mode>> = {
  'no-verify': 'require',
  true: 'verify-full',
  '1': 'verify-full',
  false: 'disable',
  '0': 'disable',
};

/** Parameters of a URL that are read here, and not by the driver, which reads them in another way. */
const parameters = [
  'sslmode',
  'ssl',
  'sslrootcert',
  'sslcert',
  'sslkey',
  'uselibpqcompat',
] as const;

/**
 * Choice between TLS and no TLS for the connections of a handle, as libpq makes it for a `sslmode`:
 * `allow` and `prefer` have a second choice for servers that refuse the first. What has worked is kept.
 */
export class Encryption {
  readonly #choices: readonly [Choice, Choice?];
  #isSecond = false;

  constructor(choices: readonly [Choice, Choice?]) {
    this.#choices = choices;
  }

  /** The choice for the next connection, in the form of the driver. */
  get current(): Choice {
    const [first, second = false] = this.#choices;
    return this.#isSecond ? second : first;
  }

  /** Runs `connect`, and runs it again with the other choice if the server refuses the current one. */
  async connect<T>(connect: () => Promise<T>): Promise<T> {
    const isSecond = this.#isSecond;
    try {
      return await connect();
    } catch (error) {
      if (this.#choices.length === 1 || !isRefusal(error)) throw error;
      this.#isSecond = !isSecond;
      return await connect();
    }
  }
}

/** True if a connection with the other choice may be accepted. Class 28 is refused authorization. */
function isRefusal(error: unknown): boolean {
  const state = sqlState(error);
  return state === undefined ? isTlsFailure(error) : state.startsWith('28');
}

/**
 * Takes the parameters about TLS out of those of a URL. What the URL leaves out comes from the variables
 * of libpq, such as PGSSLMODE; without both the mode is `prefer`.
 * @throws PlatformError `OPTION_INVALID`; Error if a file cannot be read
 */
export function takeEncryption(params: URLSearchParams, isUnixSocket: boolean): Encryption {
  const mode = modeOf(params.get('sslmode') ?? params.get('ssl') ?? process.env.PGSSLMODE);
  const rootPath = params.get('sslrootcert') ?? process.env.PGSSLROOTCERT;
  const certPath = params.get('sslcert') ?? process.env.PGSSLCERT;
  const keyPath = params.get('sslkey') ?? process.env.PGSSLKEY;
  for (const name of parameters) params.delete(name);
  if (params.get('sslnegotiation') === 'direct' && !(mode === 'require' || mode.startsWith('v'))) {
    const message = `sslnegotiation=direct needs sslmode=require or stronger, not ${mode}`;
    throw new PlatformError('OPTION_INVALID', message);
  }
  if (isUnixSocket || mode === 'disable') return new Encryption([false]);
  const isSystem = rootPath === 'system';
  checkRoot(mode, rootPath);
  const ca = rootPath === undefined || isSystem ? undefined : readFileSync(rootPath, 'utf8');
  const tls: ConnectionOptions = {
    ...(ca === undefined ? {} : { ca }),
    ...(certPath === undefined ? {} : { cert: readFileSync(certPath, 'utf8') }),
    ...(keyPath === undefined ? {} : { key: readFileSync(keyPath, 'utf8') }),
    // As libpq: a root certificate is used in every mode; without one only verify-full checks.
    rejectUnauthorized: mode === 'verify-full' || ca !== undefined,
    ...(mode === 'verify-full' ? {} : { checkServerIdentity: () => undefined }),
  };
  switch (mode) {
    case 'allow':
      return new Encryption([false, tls]);
    case 'prefer':
      return new Encryption([tls, false]);
    default:
      return new Encryption([tls]);
  }
}

function modeOf(given: string | undefined): Mode {
  if (given === undefined) return 'prefer';
  const mode = modeBySpelling[given] ?? modes.find((each) => each === given);
  if (mode) return mode;
  throw new PlatformError(
    'OPTION_INVALID',
    `sslmode must be one of ${modes.join(', ')}, not "${given}"`,
  );
}

function checkRoot(mode: Mode, rootPath: string | undefined): void {
  if (mode === 'verify-ca' && (rootPath === undefined || rootPath === 'system')) {
    throw new PlatformError(
      'OPTION_INVALID',
      'sslmode=verify-ca needs the certificate of your authority: add sslrootcert=/path/to/root.crt, or use sslmode=verify-full',
    );
  }
  if (rootPath === 'system' && mode !== 'verify-full') {
    throw new PlatformError('OPTION_INVALID', `sslrootcert=system needs sslmode=verify-full`);
  }
}
