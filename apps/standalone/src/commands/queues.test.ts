import { type Receiver, startReceiver } from '@posthaste/testbed';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { postCallback } from '../../test/post-callback.js';
import {
  newDatabase,
  posthaste,
  posthasteProcess,
  startPlatform,
  waitOptions,
} from '../../test/posthaste.js';

let receiver: Receiver;
let url: string;

beforeAll(async () => {
  receiver = await startReceiver();
  ({ url } = await startPlatform(await newDatabase()));
});
afterAll(() => receiver.close());

/** Runs `posthaste queues …` and returns its output. */
async function queues(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await posthaste(['queues', ...args], { POSTHASTE_URL: url });
  expect([code, stderr]).toEqual([0, '']);
  return stdout;
}

const post = (queue: string, more: Record<string, unknown> = {}): Promise<string> =>
  postCallback(url, `${receiver.url}/${queue}`, { application: 'shop', queue, ...more });

/** Counts the requests that came for a queue. */
const countOf = (queue: string): number =>
  receiver.requests.filter(({ path }) => path === `/${queue}`).length;

describe('posthaste queues', () => {
  // The other tests run commands in a thread, where one that never ends would not be noticed.
  it('ends its process with all of its output and its exit code', async () => {
    const env = { POSTHASTE_URL: url };
    const { stdout, ...ended } = await posthasteProcess(['queues', 'list', '--json'], env);
    expect(ended).toEqual({ code: 0, stderr: '' });
    expect(JSON.parse(stdout)).toMatchObject({ next: null });
    const refused = await posthasteProcess(['queues', 'pause', 'nosuch'], env);
    expect(refused).toMatchObject({ code: 1, stdout: '' });
    expect(refused.stderr).toContain('QUEUE_NOT_FOUND');
  });

  it('pauses a queue, lists it, and resumes it', async () => {
    expect(await queues('pause', 'paused', '-a', 'shop', '--create')).toBe('paused is paused\n');
    const head = await post('paused');
    await post('paused');
    const [, row] = (await queues('list', '-s', 'paused')).split('\n');
    expect(row?.split(/ {2,}/).slice(0, 5)).toEqual(['shop', 'paused', 'paused', '2', head]);
    expect(JSON.parse(await queues('list', '-a', 'shop', '--json')).items).toMatchObject([
      { queue: 'paused', state: 'paused', depth: 2 },
    ]);
    expect(countOf('paused')).toBe(0);

    const resumed = await queues('resume', 'paused', '-a', 'shop', '-o', 'json');
    expect(JSON.parse(resumed)).toEqual({ application: 'shop', queue: 'paused', paused: false });
    await expect.poll(() => countOf('paused'), waitOptions).toBe(2);
  });

  it('unblocks a queue whose head waits, by attempting the head now or by skipping it', async () => {
    receiver.follow({ paths: { '/blocked': [500, 500, 200] }, otherwise: 200 });
    const retry = { phases: [{ retries: 9, delayMs: 3_600_000 }] };
    const head = await post('blocked', { retry });
    await post('blocked');
    const blocked = () => queues('list', '-s', 'blocked');
    await expect.poll(blocked, waitOptions).toContain(head);

    const unblock = (...args: string[]) => queues('unblock', 'blocked', '-a', 'shop', ...args);
    expect(await unblock()).toBe(`${head} is attempted now\n`);
    await expect.poll(() => countOf('blocked'), waitOptions).toBe(2);
    await expect.poll(blocked, waitOptions).toContain(head);
    expect(await unblock('--skip')).toBe(`${head} was skipped\n`);
    await expect.poll(() => countOf('blocked'), waitOptions).toBe(3);
    await expect.poll(blocked, waitOptions).not.toContain('shop');
  });

  it.each(['pause', 'resume', 'unblock'])(
    '%s says in one line that a queue does not exist',
    async (action) => {
      const result = await posthaste(['queues', action, 'none'], { POSTHASTE_URL: url });
      expect(result.code).toBe(1);
      expect(result.stderr).toMatch(/^.*none.* \(QUEUE_NOT_FOUND\)\n$/);
    },
  );
});
