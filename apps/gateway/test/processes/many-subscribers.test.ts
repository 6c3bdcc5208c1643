import { fileURLToPath } from 'node:url';
import {
  createTestDatabase,
  type RunningProcess,
  startProcess,
  type TestDatabase,
} from '@posthaste/testbed';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import {
  type GatewayProcess,
  type GatewayProcesses,
  openGatewayProcesses,
} from './gateway-processes.js';
import type { ManySubscribers } from './many-subscribers-process.js';

const program = fileURLToPath(new URL('many-subscribers-process.ts', import.meta.url));
const count = 5_000;
const channel = '/default/news';
/** Time in which all are back, on a busy machine of two cores, in ms. */
const wait = { timeout: 120_000, interval: 100 };

vi.setConfig({ testTimeout: 240_000 });

/** Memory of the gateway without connections, and 40 kB for each, in MiB. */
const maxMib = 450;

describeWithPostgres('5,000 subscribers of one gateway', () => {
  let database: TestDatabase;
  let gateways: GatewayProcesses;
  let gateway: GatewayProcess;
  let subscribers: RunningProcess;

  beforeAll(async () => {
    database = await createTestDatabase();
    gateways = await openGatewayProcesses(database);
    gateway = await gateways.start({
      POSTHASTE_REALTIME_DRAIN: '4s',
      POSTHASTE_STOP_TIMEOUT: '20s',
    });
    const url = `ws://127.0.0.1:${gateway.port}/event/realtime`;
    subscribers = await startProcess({
      args: [program, url, gateways.key, channel, String(count)],
    });
  });
  afterAll(async () => {
    await subscribers?.close();
    await gateways?.close();
    await database?.drop();
  });

  function state(): ManySubscribers {
    const line = subscribers.output.slice(subscribers.output.lastIndexOf('\n') + 1);
    if (line === '') return { subscribed: 0, events: {}, closed: {}, failed: 0 };
    return JSON.parse(line) as ManySubscribers;
  }

  /** Waits until all are subscribed, and get what is published then. */
  async function expectAllBack(event: string): Promise<void> {
    await expect.poll(() => state().subscribed, wait).toBe(count);
    expect(await gateway.post(gateways.key, channel, [event])).toBe(200);
    await expect.poll(() => state().events[event], wait).toBe(count);
    expect((await gateway.memory()).peakMib).toBeLessThan(maxMib);
  }

  it('connect at once, and all get an event', () => expectAllBack('"connected"'));

  it('are back after a crash', async () => {
    await gateway.kill();
    await gateway.start();
    await expectAllBack('"crashed"');
    expect(state().closed).toEqual({ 1006: count });
  });

  it('are sent away one after another on SIGTERM, and come back to the next process', async () => {
    const startedAt = performance.now();
    const before = state().failed;
    const stopped = gateway.stop();
    await expect.poll(() => state().closed[1001] ?? 0, wait).toBeGreaterThan(count / 10);
    // The others still have their connections: not all come back in the same moment.
    expect(state().closed[1001]).toBeLessThan(count * 0.9);
    expect(await stopped).toEqual({ code: 0, signal: null });
    expect(performance.now() - startedAt).toBeGreaterThan(3_000);
    expect(state().failed).toBeGreaterThan(before);
    await gateway.start();
    await expectAllBack('"stopped"');
    expect(state().closed).toEqual({ 1001: count, 1006: count });
  });
});
