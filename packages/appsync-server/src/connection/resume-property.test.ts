import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { RawClient } from '../../test/raw-client.js';
import { startRealtime, type TestServer } from '../../test/test-server.js';

const wait = { timeout: 30_000, interval: 5 };
const limits = { publishesPerSecond: 1e6, eventsPerSecond: 1e6, connectsPerSecond: 1e6 };
const channels = ['/stored', '/stored/a', '/stored/a/b', '/stored/c'];
const subscribed = [...channels, '/stored/*', '/stored/a/*'];

/** Place after which a subscriber goes on. */
interface Place {
  epoch: unknown;
  position: unknown;
}

/** Subscriber of one path, which comes and goes. It notes what it gets as our client does. */
class Visitor {
  readonly #server: TestServer;
  readonly #path: string;
  #client: RawClient | undefined;
  #doing: Promise<void> = Promise.resolve();
  #place: Place | undefined;
  /** Numbers of events that it got, with `gap` where it was told of one. */
  readonly got: (number | 'gap')[] = [];

  constructor(server: TestServer, path: string) {
    this.#server = server;
    this.#path = path;
  }

  /** Comes, or cuts the connection, behind what it does already. */
  toggle(): Promise<void> {
    this.#doing = this.#doing.then(() => (this.#client ? this.#go() : this.#come()));
    return this.#doing;
  }

  /** Comes once more. */
  async comeAgain(): Promise<void> {
    await this.#doing;
    this.#go();
    await this.#come();
  }

  async #come(): Promise<void> {
    const client = await this.#server.connect();
    this.#client = client;
    client.socket.on('message', (data: Buffer) => this.#onFrame(JSON.parse(data.toString())));
    client.send({ type: 'connection_init', extensions: ['resume'] });
    client.send({ type: 'subscribe', id: 's', channel: this.#path, resume: this.#place });
    await client.next(({ type }) => type === 'subscribe_success');
  }

  /** Cuts it off: frames on their way to it are lost. */
  #go(): void {
    this.#client?.socket.removeAllListeners('message');
    this.#client?.socket.terminate();
    this.#client = undefined;
  }

  #onFrame(frame: Record<string, unknown>): void {
    if (frame.type === 'subscribe_success') {
      if (frame.recovered === false) this.got.push('gap');
      if (frame.recovered !== true) this.#place = { epoch: frame.epoch, position: frame.position };
    }
    if (frame.type !== 'data' || this.#place === undefined) return;
    this.#place.position = frame.position;
    this.got.push(Number(frame.event));
  }
}

const isOf = (path: string, channel: string): boolean =>
  path === channel || (path.endsWith('*') && channel.startsWith(path.slice(0, -1)));

const step = fc.oneof(
  fc.record({ visitor: fc.nat(5), isWaiting: fc.boolean() }),
  fc.record({ channel: fc.constantFrom(...channels), count: fc.integer({ min: 1, max: 5 }) }),
  fc.constant('pause' as const),
);

it.each([1_000, 3])(
  'a subscriber gets each event once and in order, or is told of the gap (history %i)',
  async (history) => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        const server = await startRealtime({ limits, namespaces: [{ name: 'stored', history }] });
        const publisher = await server.open();
        const visitors = subscribed.map((path) => new Visitor(server, path));
        const published: [string, number][] = [];
        /** Publishes numbers, and returns the id of the operation. */
        const publish = (channel: string, count: number): string => {
          const events = Array.from({ length: count }, () => {
            published.push([channel, published.length]);
            return `${published.length - 1}`;
          });
          const id = `p${published.length}`;
          publisher.send({ type: 'publish', id, channel, events });
          return id;
        };
        for (const taken of steps) {
          if (taken === 'pause') await new Promise((resolve) => setImmediate(resolve));
          else if ('visitor' in taken) {
            const done = visitors[taken.visitor]?.toggle();
            if (taken.isWaiting) await done;
          } else publish(taken.channel, taken.count);
        }
        const last = publish('/stored/a', 1);
        await publisher.next(({ id }) => id === last);
        for (const visitor of visitors) await visitor.comeAgain();
        for (const channel of channels) publish(channel, 1);
        for (const [index, visitor] of visitors.entries()) {
          const path = subscribed[index] ?? '';
          const wanted = published.filter(([channel]) => isOf(path, channel)).map(([, n]) => n);
          await expect.poll(() => visitor.got.at(-1), wait).toBe(wanted.at(-1));
          checkStory(visitor.got, wanted);
          if (history === 1_000) expect(visitor.got).not.toContain('gap');
        }
      }),
      { numRuns: 40, endOnFailure: true },
    );
  },
  240_000,
);

/** Expects all events since the first that was got, but where there was a gap. */
function checkStory(got: readonly (number | 'gap')[], wanted: readonly number[]): void {
  let last: number | undefined;
  let mayMiss = true;
  for (const each of got) {
    if (each === 'gap') {
      mayMiss = true;
      continue;
    }
    const next = last === undefined ? undefined : wanted[wanted.indexOf(last) + 1];
    if (mayMiss) expect(each).toBeGreaterThanOrEqual(next ?? 0);
    else expect(each).toBe(next);
    last = each;
    mayMiss = false;
  }
}
