import { execFile } from 'node:child_process';
import { access, constants } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';

const execute = promisify(execFile);
const programs = ['chromium', 'chromium-browser', 'google-chrome'];
const installMs = 300_000;

const advice = 'install it as `chromium` on the PATH (Debian: apt-get install chromium)';

/**
 * Returns the path of a Chromium: one on the PATH, else one that apt-get installs where this process
 * may do so. Undefined without one, with a line that says how to get it.
 * @throws Error with CI=true if there is none
 */
export async function findChromium(): Promise<string | undefined> {
  const found = (await onPath()) ?? (await install());
  if (found !== undefined) return found;
  if (process.env.CI === 'true') throw new Error(`no Chromium for the tests: ${advice}`);
  console.warn(`Tests that need Chromium are skipped. To run them, ${advice}.`);
  return undefined;
}

async function onPath(): Promise<string | undefined> {
  const folders = (process.env.PATH ?? '').split(delimiter).filter((folder) => folder !== '');
  for (const file of folders.flatMap((folder) => programs.map((name) => join(folder, name)))) {
    const isProgram = await access(file, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (isProgram) return file;
  }
  return undefined;
}

async function install(): Promise<string | undefined> {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return undefined;
  const packages = ['install', '-y', '--no-install-recommends', 'chromium'];
  const apt = (args: readonly string[]) => execute('apt-get', args, { timeout: installMs });
  console.warn('Installing Chromium through apt-get; this is done once');
  try {
    // A new machine or container has no list of packages yet.
    await apt(packages).catch(async () => {
      await apt(['update']);
      await apt(packages);
    });
  } catch {
    // There is no apt-get, or no network: it is missing then.
    return undefined;
  }
  return onPath();
}
