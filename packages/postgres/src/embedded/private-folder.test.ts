import { chmod, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { makePrivateFolder } from './private-folder.js';

let scratch: string;
beforeEach(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'posthaste-folder-'));
});
afterEach(() => rm(scratch, { recursive: true }));

const modeOf = async (path: string): Promise<number> => (await stat(path)).mode & 0o777;

it('creates a folder and its parents, readable by their owner only', async () => {
  const path = join(scratch, 'a', 'b', 'c');
  await Promise.all([makePrivateFolder(path), makePrivateFolder(path)]);
  expect([await modeOf(path), await modeOf(join(scratch, 'a'))]).toEqual([0o700, 0o700]);
});

it('does not change an existing folder', async () => {
  await chmod(scratch, 0o755);
  await makePrivateFolder(scratch);
  expect(await modeOf(scratch)).toBe(0o755);
});

it('refuses a path that is a file or below a file', async () => {
  const file = join(scratch, 'file');
  await writeFile(file, '');
  await expect(makePrivateFolder(file)).rejects.toMatchObject({ code: 'EEXIST' });
  await expect(makePrivateFolder(join(file, 'a', 'b'))).rejects.toMatchObject({ code: 'ENOTDIR' });
});

it.runIf(process.platform === 'linux')('fails where the system creates no folders', async () => {
  await expect(makePrivateFolder('/proc/posthaste/a')).rejects.toMatchObject({ code: 'ENOENT' });
});
