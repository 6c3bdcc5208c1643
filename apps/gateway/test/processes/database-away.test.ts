import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type OidcProvider,
  type PostgresServer,
  signIdToken,
  startOidcProvider,
  startPostgres,
} from '@posthaste/testbed';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { expect, it } from 'vitest';
import { type GatewayProcess, openGatewayProcesses } from './gateway-processes.js';
import { type Frame, RawSocket } from './raw-socket.js';

const wait = { timeout: 60_000, interval: 100 };
/** Time for which a key is accepted that cannot be checked, and what a check may be old, in ms. */
const trustMs = 10_000;
const checkMs = 1_000;
/** Longest time until a publish is answered, in ms: our client waits no longer. */
const answerMs = 30_000;
const keepAliveMs = 2_000;

/** Connection with a subscription to `/default/a` and to `/loose/a`. */
interface Watcher {
  readonly socket: RawSocket;
  readonly frames: Frame[];
}

/** Publish with the times around it, in ms. */
interface TimedAnswer {
  readonly sentAt: number;
  readonly answeredAt: number;
  readonly answer: Frame;
}

async function watch(gateway: GatewayProcess, key: string): Promise<Watcher> {
  const socket = await RawSocket.open(gateway.port, key);
  const frames: Frame[] = [];
  socket.onFrame = (frame) => frames.push(frame);
  await socket.init();
  for (const channel of ['/default/a', '/loose/a']) {
    expect(await socket.subscribe(channel)).toMatchObject({ type: 'subscribe_success' });
  }
  return { socket, frames };
}

/** Returns an ID token of the provider that is valid for ten minutes. */
function signToken(provider: OidcProvider): Promise<string> {
  const exp = Math.floor(Date.now() / 1_000) + 600;
  return signIdToken({ iss: provider.issuer, aud: 'web', sub: 'anna', exp }, provider.key);
}

function eventsOf({ frames }: Watcher): unknown[] {
  return frames.filter(({ type }) => type === 'data').map(({ event }) => event);
}

function keepAlivesOf({ frames }: Watcher): number {
  return frames.filter(({ type }) => type === 'ka').length;
}

async function publish(socket: RawSocket, channel: string, event: string): Promise<TimedAnswer> {
  const sentAt = performance.now();
  const answer = await socket.publish(channel, [event]);
  return { sentAt, answeredAt: performance.now(), answer };
}

describeWithPostgres('while the database is away', () => {
  const outages = {
    gone: { ms: 60_000, begin: (server: PostgresServer) => server.kill() },
    silent: { ms: 25_000, begin: (server: PostgresServer) => server.pause() },
  };

  it.concurrent.for(['gone', 'silent'] as const)(
    'connections stay, durable publishes fail, others reach their gateway: %s',
    { timeout: 180_000 },
    async (kind, { expect, onTestFinished }) => {
      const server = await startPostgres();
      const gateways = await openGatewayProcesses(server);
      const provider = await startOidcProvider({
        id: 'web',
        secret: 's',
        redirectUri: 'http://x/',
      });
      const folder = await mkdtemp(join(tmpdir(), 'posthaste-test-'));
      onTestFinished(async () => {
        await gateways.close();
        await server.close();
        await provider.close();
        await rm(folder, { recursive: true });
      });
      const file = join(folder, 'realtime.json');
      const oidc = { type: 'oidc', application: 'shop', issuer: provider.issuer, audience: 'web' };
      await writeFile(file, JSON.stringify({ authorizers: [oidc] }));
      const { key } = gateways;
      const environment = {
        POSTHASTE_REALTIME_KEEP_ALIVE: `${keepAliveMs}ms`,
        POSTHASTE_REALTIME_CONFIG: file,
      };
      const [one, two] = await Promise.all([
        gateways.start(environment),
        gateways.start(environment),
      ]);
      const pids = [one.process.pid, two.process.pid];
      const [here, there] = await Promise.all([watch(one, key), watch(two, key)]);
      const durable = await RawSocket.open(one.port, key);
      const loose = await RawSocket.open(one.port, key);
      const byToken = await RawSocket.open(one.port, { Authorization: await signToken(provider) });
      expect(await durable.publish('/default/a', ['"before"'])).toMatchObject({
        type: 'publish_success',
      });
      await expect
        .poll(() => [eventsOf(here), eventsOf(there)], wait)
        .toEqual([['"before"'], ['"before"']]);
      const keepAlives = [keepAlivesOf(here), keepAlivesOf(there)];

      await outages[kind].begin(server);
      const begunAt = performance.now();
      const stored = publish(durable, '/default/a', '"stored"');
      const trusted: TimedAnswer[] = [];
      for (let n = 0; performance.now() < begunAt + trustMs + 2 * checkMs; n += 1) {
        trusted.push(await publish(loose, '/loose/a', JSON.stringify(`loose ${n}`)));
        await sleep(200);
      }
      const { answer, sentAt, answeredAt } = await stored;
      expect(answer).toMatchObject({
        type: 'publish_error',
        errors: [
          { errorType: 'InternalFailureException', message: expect.stringMatching(/again/) },
        ],
      });
      expect(answeredAt - sentAt).toBeLessThan(answerMs);
      const isAccepted = (each: TimedAnswer) => each.answer.type === 'publish_success';
      const accepted = trusted.filter(isAccepted);
      const refused = trusted.filter((each) => !isAccepted(each));
      expect(accepted.length).toBeGreaterThan(0);
      expect(refused.length).toBeGreaterThan(0);
      for (const each of accepted) expect(each.sentAt - begunAt).toBeLessThan(trustMs);
      for (const each of refused) {
        expect(each.answeredAt - begunAt).toBeGreaterThan(trustMs - checkMs);
        expect(each.answer).toMatchObject({ type: 'publish_error' });
      }
      await expect.poll(() => eventsOf(here).length, wait).toBe(1 + accepted.length);
      expect(eventsOf(there)).toEqual(['"before"']);

      // The token needs no database.
      expect(await byToken.publish('/loose/a', ['"by token"'])).toMatchObject({
        type: 'publish_success',
      });
      await expect.poll(() => eventsOf(here), wait).toContain('"by token"');

      // A new connection is refused in a way that says to come back.
      const stranger = await RawSocket.open(two.port, key);
      expect(await stranger.init()).toMatchObject({
        type: 'connection_error',
        errors: [{ errorCode: expect.toSatisfy((code: number) => code >= 500) }],
      });
      expect(await one.post(key, '/default/a', ['"posted"'])).toBeGreaterThanOrEqual(500);
      await sleep(begunAt + outages[kind].ms - performance.now());
      expect(keepAlivesOf(here)).toBeGreaterThan((keepAlives[0] ?? 0) + 5);
      expect(keepAlivesOf(there)).toBeGreaterThan((keepAlives[1] ?? 0) + 5);

      await (kind === 'gone' ? server.start() : server.resume());
      const again = async (channel: string, event: string) =>
        expect
          .poll(async () => (await durable.publish(channel, [event])).type, wait)
          .toBe('publish_success');
      await again('/default/a', '"after"');
      await expect.poll(() => eventsOf(here), wait).toContain('"after"');
      await expect.poll(() => eventsOf(there), wait).toContain('"after"');
      await again('/loose/a', '"loose after"');
      await expect.poll(() => eventsOf(there), wait).toContain('"loose after"');
      expect([here, there].map(({ socket }) => socket.closed)).toEqual([undefined, undefined]);
      expect([one.process.pid, two.process.pid]).toEqual(pids);
      expect([one.process.exit, two.process.exit]).toEqual([undefined, undefined]);
      for (const { socket } of [here, there]) socket.close();
      for (const socket of [durable, loose, byToken, stranger]) socket.close();
    },
  );
});
