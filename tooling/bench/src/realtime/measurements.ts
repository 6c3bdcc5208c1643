import { readFileSync } from 'node:fs';
import { cpuSeconds, peakRssMib } from '../process-usage.js';
import { percentile } from '../statistics.js';
import { type RealtimeContender, type RunningContender, startContender } from './contenders.js';
import { Load } from './load.js';

/** Rates of a fan-out. */
export interface FanOut {
  readonly messagesPerSecond: number;
  /** CPU of the server for a message, in µs. */
  readonly cpuMicros: number;
}

/** Size of a fan-out. */
export interface FanOutSize {
  readonly subscribers: number;
  /** Publishes whose messages have not all come. */
  readonly outstanding: number;
  readonly seconds: number;
}

/** Runs a measurement with a new server and new clients, and ends both. */
async function withLoad<Result>(
  contender: RealtimeContender,
  measure: (load: Load, server: RunningContender) => Promise<Result>,
): Promise<Result> {
  const server = await startContender(contender);
  const load = new Load([server]);
  try {
    return await measure(load, server);
  } finally {
    load.close();
    await server.stop();
  }
}

/** Publishes whenever the messages of a publish have come. */
export function measureFanOut(contender: RealtimeContender, size: FanOutSize): Promise<FanOut> {
  return withLoad(contender, (load, server) => runFanOut(load, [server], size));
}

/** Measures a fan-out with clients that are not connected yet. */
export async function runFanOut(
  load: Load,
  servers: readonly RunningContender[],
  { subscribers, outstanding, seconds }: FanOutSize,
): Promise<FanOut> {
  await load.subscribe(subscribers);
  let isOn = true;
  const fill = (): void => {
    while (isOn && load.published - Math.floor(load.received / subscribers) < outstanding) {
      load.publish();
    }
  };
  load.onReceived = fill;
  fill();
  // The code is compiled first.
  await pause(seconds * 400);
  const used = (): number => servers.reduce((sum, { pid }) => sum + cpuSeconds(pid), 0);
  const cpu = used();
  const received = load.received;
  const begun = performance.now();
  await pause(seconds * 1_000);
  const messages = load.received - received;
  const spent = (performance.now() - begun) / 1_000;
  const cpuUsed = used() - cpu;
  isOn = false;
  await load.arrived(load.published * subscribers);
  return { messagesPerSecond: messages / spent, cpuMicros: (cpuUsed * 1e6) / messages };
}

/** Returns the 50th and 99th percentile, in ms, of messages of publishes at an even pace. */
export function measureLatency(
  contender: RealtimeContender,
  { subscribers, seconds, perSecond }: Omit<FanOutSize, 'outstanding'> & { perSecond: number },
): Promise<{ p50: number; p99: number }> {
  return withLoad(contender, async (load) => {
    await load.subscribe(subscribers);
    const sentAt: number[] = [];
    const waits: number[] = [];
    const seen = new Map<object, number>();
    load.onReceived = (client, count) => {
      const first = seen.get(client) ?? 0;
      const now = performance.now();
      for (let index = first; index < first + count; index++) {
        waits.push(now - (sentAt[index] ?? Number.NaN));
      }
      seen.set(client, first + count);
    };
    const begun = performance.now();
    const publishes = Math.ceil((perSecond / subscribers) * seconds);
    for (let number = 0; number < publishes; number++) {
      const dueAt = begun + (number * subscribers * 1_000) / perSecond;
      await pause(Math.max(0, dueAt - performance.now()));
      // The wait of a publish that begins late counts too.
      sentAt.push(dueAt);
      load.publish();
    }
    await load.arrived(publishes * subscribers);
    // The first tenth is left out: the code is compiled.
    const settled = waits.slice(Math.floor(waits.length / 10));
    return { p50: percentile(settled, 50), p99: percentile(settled, 99) };
  });
}

/** Returns the memory of the server for an idle subscriber, in kB, and the rate and CPU of connects. */
export function measureConnects(
  contender: RealtimeContender,
  count: number,
): Promise<{ kilobytes: number; perSecond: number; cpuMicros: number }> {
  return withLoad(contender, async (load, server) => {
    // The code is compiled first.
    await load.subscribe(500);
    const before = residentKilobytes(server.pid);
    const cpu = cpuSeconds(server.pid);
    const begun = performance.now();
    await load.subscribe(count);
    const perSecond = (count * 1_000) / (performance.now() - begun);
    const cpuMicros = ((cpuSeconds(server.pid) - cpu) * 1e6) / count;
    await pause(1_000);
    return { kilobytes: (residentKilobytes(server.pid) - before) / count, perSecond, cpuMicros };
  });
}

/** Fan-out in which every twentieth subscriber stops reading. */
export function measureStalled(
  contender: RealtimeContender,
  { subscribers, seconds, perSecond }: Omit<FanOutSize, 'outstanding'> & { perSecond: number },
): Promise<{ peakMib: number; lost: number }> {
  return withLoad(contender, async (load, server) => {
    await load.subscribe(subscribers);
    const stalled = load.subscribers.filter((_, index) => index % 20 === 0);
    for (const client of stalled) client.stall();
    const before = new Map(load.subscribers.map((each) => [each, each.counter.events]));
    const reading = subscribers - stalled.length;
    const publishes = Math.ceil((perSecond / subscribers) * seconds);
    for (let number = 0; number < publishes; number++) {
      load.publish();
      await pause((subscribers * 1_000) / perSecond);
    }
    await load.arrived(publishes * reading);
    const lost = load.subscribers
      .filter((each) => !stalled.includes(each))
      .map((each) => publishes - (each.counter.events - (before.get(each) ?? 0)))
      .reduce((sum, missing) => sum + missing, 0);
    return { peakMib: peakRssMib(server.pid), lost };
  });
}

function residentKilobytes(pid: number): number {
  const text = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(text)?.[1]) * 1.024;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
