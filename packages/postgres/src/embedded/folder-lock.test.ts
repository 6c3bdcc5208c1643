import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type RunningProcess, startProcess } from '@posthaste/testbed';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type FolderLock, lockFolder } from './folder-lock.js';

let folder: string;
const held: FolderLock[] = [];
const running: RunningProcess[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lock-'));
});
afterEach(async () => {
  await Promise.all(running.splice(0).map((each) => each.close()));
  await Promise.all(held.splice(0).map((lock) => lock.release()));
  await rm(folder, { recursive: true });
});

const take = async (path = folder): Promise<FolderLock> => {
  const lock = await lockFolder(path);
  held.push(lock);
  return lock;
};

/** A process that takes the lock, says how that went, and lives on. */
const startHolder = async (ready?: RegExp): Promise<RunningProcess> => {
  const built = new URL('../../dist/folder-lock.js', import.meta.url).href;
  const program = `
    const { lockFolder } = await import('${built}');
    await lockFolder(process.argv[1]).then(() => console.log('held'), (e) => console.log(e.code));
    setInterval(() => undefined, 1_000);`;
  const started = await startProcess({
    args: ['--input-type=module', '-e', program, folder],
    ...(ready ? { ready } : {}),
  });
  running.push(started);
  return started;
};

it('is held by one at a time', async () => {
  const first = await take();
  await expect(lockFolder(folder)).rejects.toMatchObject({
    code: 'DATABASE_IN_USE',
    message: `${folder} is in use by process ${process.pid}`,
  });
  await first.release();
  await first.release();
  await take();
});

it('leaves nothing behind', async () => {
  await (await take()).release();
  expect(await readdir(folder)).toEqual([]);
});

it('goes to exactly one of many who come at the same time', async () => {
  for (let round = 0; round < 5; round++) {
    const outcomes = await Promise.allSettled(Array.from({ length: 8 }, () => lockFolder(folder)));
    const locks = outcomes.filter((outcome) => outcome.status === 'fulfilled');
    expect(locks).toHaveLength(1);
    for (const { value } of locks) await value.release();
  }
});

it('goes to exactly one of several processes that start together', async () => {
  const holders = await Promise.all(Array.from({ length: 4 }, () => startHolder()));
  const lines = await Promise.all(holders.map((each) => each.waitForLine(/held|DATABASE_IN_USE/)));
  expect(lines.map(([line]) => line).sort()).toEqual([
    ...Array.from({ length: 3 }, () => 'DATABASE_IN_USE'),
    'held',
  ]);
});

it('is free at once when its holder was killed, whatever has its process id now', async () => {
  const holder = await startHolder(/held/);
  await expect(lockFolder(folder)).rejects.toMatchObject({ code: 'DATABASE_IN_USE' });
  await holder.kill();
  expect(await readdir(folder)).toHaveLength(1);
  await take();
  expect(await readdir(folder)).toHaveLength(1);
});

it('stays with a process that is stopped', async () => {
  const holder = await startHolder(/held/);
  await holder.pause();
  await expect(lockFolder(folder)).rejects.toMatchObject({ code: 'DATABASE_IN_USE' });
});

it('works in folders whose path is longer than a socket may have', async () => {
  const deep = join(folder, 'a'.repeat(80), 'b'.repeat(80));
  await mkdir(deep, { recursive: true });
  const first = await take(deep);
  await expect(lockFolder(deep)).rejects.toMatchObject({ code: 'DATABASE_IN_USE' });
  await first.release();
  expect(await readdir(deep)).toEqual([]);
  await take(deep);
});
