import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { send, staysSilent } from '../../test/send.js';
import { type ReceiverProcess, startReceiverProcess } from './start-receiver-process.js';

const open: ReceiverProcess[] = [];
const folders: string[] = [];

async function start(...args: Parameters<typeof startReceiverProcess>): Promise<ReceiverProcess> {
  const receiver = await startReceiverProcess(...args);
  open.push(receiver);
  return receiver;
}

afterEach(async () => {
  await Promise.all(open.splice(0).map((each) => each.close()));
  await Promise.all(folders.splice(0).map((folder) => rm(folder, { recursive: true })));
});

async function statuses(receiver: ReceiverProcess, count: number): Promise<unknown[]> {
  const seen: unknown[] = [];
  for (let i = 0; i < count; i++) {
    const answer = await send(receiver.urlFor('q', i)).catch((error) => error);
    seen.push(answer instanceof Error ? 'reset' : answer.response.statusCode);
  }
  return seen;
}

describe('startReceiverProcess', () => {
  it('accepts everything by default, and counts by queue', async () => {
    const receiver = await start();
    await send(receiver.urlFor('a', 0), { body: 'x' });
    await send(receiver.urlFor('b', 0));
    await send(receiver.urlFor('a', 2));
    await send(`${receiver.url}/elsewhere`);
    expect(await receiver.summary()).toEqual({
      requests: 4,
      accepted: 4,
      duplicates: 0,
      early: 1,
      late: 0,
      queues: 2,
    });
  });

  it('misbehaves at the given rates, the same for the same seed', async () => {
    const rates = { fail: 0.3, reset: 0.3 };
    const [first, second] = await Promise.all([
      start({ seed: 5, rates }),
      start({ seed: 5, rates }),
    ]);
    const seen = await statuses(first, 60);
    expect(new Set(seen)).toEqual(new Set([200, 503, 'reset']));
    expect(await statuses(second, 60)).toEqual(seen);
  });

  it('hangs, and recovers when its rates are changed', async () => {
    const receiver = await start({ rates: { hang: 1 } });
    expect(await staysSilent(receiver.urlFor('q', 0))).toBe(true);
    await receiver.setRates({});
    expect(await statuses(receiver, 2)).toEqual([200, 200]);
    await expect(receiver.setRates({ fail: 2 })).rejects.toThrow(
      'rate "fail" must be a number from 0 to 1, not 2',
    );
  });

  it('continues its journal after it was killed', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'posthaste-journal-'));
    folders.push(folder);
    const journal = join(folder, 'arrivals.jsonl');
    const first = await start({ journal });
    await statuses(first, 3);
    await first.process.kill();
    const port = Number(new URL(first.url).port);
    const second = await start({ journal, port });
    await send(second.urlFor('q', 2));
    await send(second.urlFor('q', 3));
    expect(await second.summary()).toMatchObject({ requests: 5, accepted: 4, duplicates: 1 });
    expect((await readFile(journal, 'utf8')).trim().split('\n')).toHaveLength(5);
  });

  it('ends on SIGTERM', async () => {
    const receiver = await start({ rates: { hang: 1 } });
    await staysSilent(receiver.url);
    expect(await receiver.process.terminate()).toEqual({ code: 0, signal: null });
  });
});
