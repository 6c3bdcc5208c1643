import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocket } from 'ws';
import { cpuSeconds } from '../process-usage.js';
import { eventsWire, framesBeforeEvents, type ResumePlace } from './contenders.js';
import { startGateways } from './gateways.js';
import { Load } from './load.js';
import { CheapClient } from './subscriber.js';

const channel = '/kept/room';
/** Bounds of the random wait before an attempt, in ms, as those of our client. */
const wait = { initialMs: 250, maxMs: 20_000 };
/** Events that are published while all are cut. */
const missedEvents = 10;
/** Time after which a run has failed, in ms. */
const limitMs = 120_000;

/** Return of clients that were cut. */
export interface Returning {
  /** Time from the cut until the last client has got what it has missed. */
  readonly seconds: number;
  /** CPU time of the gateway in that time, in seconds. */
  readonly cpuSeconds: number;
  /** Attempts that the gateway refused, because too many came in that second. */
  readonly refused: number;
  /** Events that did not come. */
  readonly missing: number;
}

/** Cuts so many subscribers of a gateway at once, and waits until all have what they have missed. */
export async function measureReturning(storeUrl: string, count: number): Promise<Returning> {
  const wire = eventsWire(channel, {});
  const servers = await startGateways(storeUrl, { count: 1, wire });
  const [server] = servers;
  if (server === undefined) throw new Error('no gateway was started');
  const load = new Load(servers);
  const returned: CheapClient[] = [];
  try {
    await load.subscribe(count);
    const witness = await startWitness(server.port);
    load.publish();
    await load.arrived(count);
    const place = await witness.next();
    for (const client of load.subscribers) client.close();
    const cutAt = performance.now();
    const cpu = cpuSeconds(server.pid);
    const resuming = {
      ...server,
      contender: { ...server.contender, wire: eventsWire(channel, place) },
    };
    let refused = 0;
    const comeBack = (): Promise<void> =>
      new Promise((resolve) => {
        const attempt = async (failures: number): Promise<void> => {
          await sleep(Math.random() * Math.min(wait.maxMs, wait.initialMs * 2 ** failures));
          const onFrames = ({ counter }: CheapClient): void => {
            if (counter.frames >= framesBeforeEvents + missedEvents) resolve();
          };
          const client = new CheapClient(resuming, onFrames, () => {
            refused += 1;
            void attempt(failures + 1);
          });
          returned.push(client);
        };
        void attempt(0);
      });
    const back = Promise.all(Array.from({ length: count }, comeBack));
    for (let published = 0; published < missedEvents; published += 1) load.publish();
    await Promise.race([back, sleep(limitMs, undefined, { ref: false })]);
    const seconds = (performance.now() - cutAt) / 1_000;
    const cpuUsed = cpuSeconds(server.pid) - cpu;
    const events = returned.reduce((sum, { counter }) => sum + counter.events, 0);
    witness.close();
    return { seconds, cpuSeconds: cpuUsed, refused, missing: count * missedEvents - events };
  } finally {
    for (const client of returned) client.close();
    load.close();
    await server.stop();
  }
}

/** Subscriber that reads its frames, to know what the places of all others are. */
interface Witness {
  /** Resolves with the place of the first event that has come. */
  next(): Promise<ResumePlace>;
  close(): void;
}

async function startWitness(port: number): Promise<Witness> {
  const { path, subprotocols = '', steps } = eventsWire(channel, {});
  const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, subprotocols.split(', '));
  const subscribed = Promise.withResolvers<void>();
  const found = Promise.withResolvers<ResumePlace>();
  let epoch = '';
  socket.on('message', (data) => {
    const frame = JSON.parse(String(data)) as { type: string; epoch?: string; position?: string };
    if (frame.type === 'subscribe_success') {
      epoch = frame.epoch ?? '';
      subscribed.resolve();
    }
    const { position } = frame;
    if (frame.type === 'data' && position !== undefined) found.resolve({ epoch, position });
  });
  await once(socket, 'open');
  for (const text of steps.flat()) socket.send(text);
  await subscribed.promise;
  return { next: () => found.promise, close: () => socket.terminate() };
}
