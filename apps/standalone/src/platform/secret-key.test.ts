import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadSecretKey } from './secret-key.js';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'posthaste-key-'));
});
afterEach(() => rm(folder, { recursive: true }));

describe('the secret key of a data folder', () => {
  it('is created once, readable by its owner only', async () => {
    const dataDir = join(folder, 'data');
    const keys = await Promise.all([loadSecretKey(dataDir), loadSecretKey(dataDir)]);
    const again = await loadSecretKey(dataDir);
    expect(again).toHaveLength(32);
    expect(keys).toEqual([again, again]);
    expect(await readdir(dataDir)).toEqual(['secret.key']);
    expect((await stat(join(dataDir, 'secret.key'))).mode & 0o777).toBe(0o600);
  });

  it('is refused when the file holds something else', async () => {
    await writeFile(join(folder, 'secret.key'), 'hello\n');
    await expect(loadSecretKey(folder)).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining('secret.key does not hold a key of 32 bytes'),
    });
  });

  it('is refused when it cannot be written', async () => {
    await writeFile(join(folder, 'file'), '');
    await expect(loadSecretKey(join(folder, 'file'))).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
    });
  });
});
