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

const lock = async (path = folder): Promise<FolderLock> => {
  const taken = await lockFolder(path);
  held.push(taken);
  return taken;
};

/** Starts a process that takes the lock, prints the result, and keeps running. */
const startHolder = async (ready?: RegExp): Promise<RunningProcess> => {
  const built = new URL('../../dist/embedded/folder-lock.js', import.meta.url).href;
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
  const first = await lock();
  await expect(lockFolder(folder)).rejects.toMatchObject({
    code: 'DATABASE_IN_USE',
    message: `${folder} is in use by process ${process.pid}`,
  });
  await first.release();
  await first.release();
  await lock();
});

it('leaves nothing behind', async () => {
  await (await lock()).release();
  expect(await readdir(folder)).toEqual([]);
});

it('goes to exactly one of many callers at the same time', async () => {
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

it('is free at once when its holder was killed, without a look at process ids', async () => {
  const holder = await startHolder(/held/);
  await expect(lockFolder(folder)).rejects.toMatchObject({ code: 'DATABASE_IN_USE' });
  await holder.kill();
  expect(await readdir(folder)).toHaveLength(1);
  await lock();
  expect(await readdir(folder)).toHaveLength(1);
});

it('stays with a process that is stopped', async () => {
  const holder = await startHolder(/held/);
  await holder.pause();
  await expect(lockFolder(folder)).rejects.toMatchObject({ code: 'DATABASE_IN_USE' });
});

it('works in folders whose path is too long for a socket', async () => {
  const deep = join(folder, 'a'.repeat(80), 'b'.repeat(80));
  await mkdir(deep, { recursive: true });
  const first = await lock(deep);
  await expect(lockFolder(deep)).rejects.toMatchObject({ code: 'DATABASE_IN_USE' });
  await first.release();
  expect(await readdir(deep)).toEqual([]);
  await lock(deep);
});
