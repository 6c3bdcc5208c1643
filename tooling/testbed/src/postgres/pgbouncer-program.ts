import { execFile } from 'node:child_process';
import { access, cp, mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { basename, delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { cacheFolder } from '../cache-folder.js';

const run = promisify(execFile);

/** Advice for people on how to get PgBouncer. */
export const pgBouncerAdvice: string =
  'install PgBouncer (Debian: apt-get install pgbouncer); on Debian it is fetched by itself if apt-get can download packages';

/** Program of PgBouncer. */
export interface PgBouncerProgram {
  readonly path: string;
  /** Folder with the program and its libraries, if it was fetched and is not installed. */
  readonly fetched: string | undefined;
}

/** Libraries of PgBouncer that a Debian without it may lack; all others belong to every Debian. */
const libraryPattern = /^lib(?:event-\d|c-?ares)/;

/** Finds the program on the PATH, in Debian's folder, or where it was fetched to. */
export async function findPgBouncer(): Promise<PgBouncerProgram | undefined> {
  const folders = [...(process.env.PATH ?? '').split(delimiter).filter(Boolean), '/usr/sbin'];
  for (const folder of folders) {
    const path = join(folder, 'pgbouncer');
    if (await exists(path)) return { path, fetched: undefined };
  }
  const fetched = fetchedFolder();
  const path = join(fetched, 'pgbouncer');
  return (await exists(path)) ? { path, fetched } : undefined;
}

/**
 * Fetches Debian's package of PgBouncer (0.3 MB) and its libraries through apt-get, and unpacks them
 * into a cache. Nothing is installed, so it needs no rights.
 * @returns `undefined` where there is no apt-get, or it cannot download the package
 */
export async function fetchPgBouncer(): Promise<PgBouncerProgram | undefined> {
  const folder = fetchedFolder();
  await mkdir(join(folder, '..'), { recursive: true });
  const partial = await mkdtemp(`${folder}.partial-`);
  try {
    const apt = await findApt(partial);
    if (!apt) return undefined;
    console.warn(`Fetching PgBouncer through apt-get to ${folder}; this is done once`);
    await apt.download(await apt.packages());
    await unpack(partial);
    // Fails if another process has completed the folder meanwhile.
    await rename(join(partial, 'complete'), folder).catch(() => undefined);
    return { path: join(folder, 'pgbouncer'), fetched: folder };
  } catch {
    return undefined;
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
}

function fetchedFolder(): string {
  return cacheFolder(`pgbouncer-${process.arch}`);
}

/** Downloads of one folder. */
interface Apt {
  /** Returns the names of the package and of the libraries that it needs. */
  packages(): Promise<string[]>;
  download(packages: readonly string[]): Promise<void>;
}

/** Returns apt with the machine's lists of packages, or with lists of its own if those are missing. */
async function findApt(folder: string): Promise<Apt | undefined> {
  const own = [`Dir::State=${folder}`, `Dir::Cache=${folder}`, 'Debug::NoLocking=1'];
  for (const options of [[], own]) {
    const settings = options.flatMap((option) => ['-o', option]);
    const apt = createApt(folder, settings);
    try {
      if (options.length > 0) {
        await mkdir(join(folder, 'lists', 'partial'), { recursive: true });
        await run('apt-get', [...settings, '-q', 'update'], { timeout: 120_000 });
      }
      if ((await apt.packages()).length > 0) return apt;
    } catch {
      // Tried with the next options.
    }
  }
  return undefined;
}

function createApt(folder: string, settings: readonly string[]): Apt {
  return {
    packages: async () => {
      const { stdout } = await run('apt-cache', [...settings, 'depends', 'pgbouncer']);
      const needed = [...stdout.matchAll(/Depends: (\S+)/g)].map(([, name = '']) => name);
      return ['pgbouncer', ...needed.filter((name) => libraryPattern.test(name))];
    },
    download: async (packages) => {
      const args = [...settings, '-q', 'download', ...packages];
      await run('apt-get', args, { cwd: folder, timeout: 120_000 });
    },
  };
}

/** Unpacks the packages in a folder, and copies the program and its libraries to `complete` in it. */
async function unpack(folder: string): Promise<void> {
  const content = join(folder, 'content');
  const complete = join(folder, 'complete');
  await mkdir(complete);
  const archives = (await readdir(folder)).filter((name) => name.endsWith('.deb'));
  for (const archive of archives) {
    await run('dpkg-deb', ['-x', join(folder, archive), content]);
  }
  for (const file of await readdir(content, { recursive: true })) {
    const name = basename(file);
    if (file === join('usr', 'sbin', 'pgbouncer') || /^lib\S+\.so\.\d/.test(name)) {
      await cp(join(content, file), join(complete, name), { dereference: true });
    }
  }
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
