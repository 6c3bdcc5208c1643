import { createRequire } from 'node:module';
import { Kafka } from 'kafkajs';
import { describe, expect, it, vi } from 'vitest';
import {
  adaptClusters,
  createCluster,
  loadKafkajsInternals,
  stopIdleTimers,
  wrapRequest,
} from './kafkajs-internals.js';

const load = createRequire(import.meta.url);

/** Returns a loader as if kafkajs had changed this module. */
function loadWith(changed: string, replacement: unknown): (module: string) => unknown {
  return (module) => (module === changed ? replacement : load(module));
}

describe('the internals of kafkajs', () => {
  it('are in the version that is installed', () => {
    const { createErrorFromCode } = loadKafkajsInternals();
    expect(createErrorFromCode(10)).toMatchObject({ type: 'MESSAGE_TOO_LARGE' });
  });

  it.each([
    ['kafkajs/src/protocol/error', {}, 'createErrorFromCode'],
    ['kafkajs/src/protocol/error', undefined, 'createErrorFromCode'],
    ['kafkajs/src/broker', class {}, 'joinGroup, leaveGroup'],
  ])('are named in the error when %s lacks them', (module, replacement, missing) => {
    expect(() => loadKafkajsInternals(loadWith(module, replacement))).toThrow(
      expect.objectContaining({
        code: 'INTERNAL',
        message: expect.stringMatching(
          new RegExp(`${missing}.* of ${module}: install .*2\\.2\\.4`),
        ),
      }),
    );
  });

  it('are named by their module in the error when that is gone', () => {
    const gone = (module: string): unknown => load(module.replace('/network/', '/gone/'));
    expect(() => loadKafkajsInternals(gone)).toThrow(
      expect.objectContaining({
        code: 'INTERNAL',
        message: expect.stringContaining('lacks kafkajs/src/network/requestQueue'),
      }),
    );
  });

  it.each<[string, () => void]>([
    ['lookupRequest of its brokers', () => wrapRequest({}, 1, (create) => create)],
    ['createCluster of its clients', () => adaptClusters({} as Kafka, stopIdleTimers)],
    ['connectionPoolBuilder of its clusters', () => stopIdleTimers({} as never)],
  ])('are named in the error when an object lacks %s', (missing, use) => {
    expect(use).toThrow(
      expect.objectContaining({
        code: 'INTERNAL',
        message: expect.stringContaining(`lacks ${missing}`),
      }),
    );
  });

  it.each([{}, { pool: [{}] }, { pool: [{ requestQueue: { pending: [] } }] }])(
    'are named in the error when the connections are %j',
    async (connections) => {
      const cluster = { connectionPoolBuilder: { build: async () => connections } };
      stopIdleTimers(cluster as never);
      await expect(cluster.connectionPoolBuilder.build()).rejects.toMatchObject({
        code: 'INTERNAL',
        message: expect.stringContaining('lacks requestQueue of its connections'),
      });
    },
  );

  it('are those of the version that the package pins', () => {
    const { dependencies } = load('../../../../package.json') as {
      readonly dependencies: Readonly<Record<string, string>>;
    };
    const { version } = load('kafkajs/package.json') as { readonly version: string };
    expect([dependencies.kafkajs, version]).toEqual(['2.2.4', '2.2.4']);
  });
});

interface RequestQueue {
  readonly pending: unknown[];
  checkPendingRequests(): void;
  canSendSocketRequestImmediately(): boolean;
  destroy(): void;
}

/** Creates the connections to a broker as kafkajs does; nothing is connected. */
async function createQueue(adapt: boolean): Promise<RequestQueue> {
  const kafka = new Kafka({ brokers: ['127.0.0.1:1'] });
  if (adapt) adaptClusters(kafka, stopIdleTimers);
  const cluster = createCluster(kafka, { allowAutoTopicCreation: false, metadataMaxAge: 1_000 });
  const { connectionPoolBuilder } = cluster as unknown as {
    connectionPoolBuilder: {
      build(): Promise<{ getQueue(): RequestQueue; pool: { requestQueue: RequestQueue }[] }>;
    };
  };
  const [connection] = (await connectionPoolBuilder.build()).pool;
  return connection?.requestQueue ?? expect.fail();
}

describe('the timers of idle connections', () => {
  it('are stopped on clients that ask for it, and not on others', async () => {
    const setTimer = vi.spyOn(globalThis, 'setTimeout');
    const [adapted, plain] = [await createQueue(true), await createQueue(false)];
    adapted.checkPendingRequests();
    expect(setTimer).not.toHaveBeenCalled();
    plain.checkPendingRequests();
    expect(setTimer).toHaveBeenCalledOnce();
    plain.destroy();
    setTimer.mockRestore();
  });

  it('run while a request waits to be sent', async () => {
    const queue = await createQueue(true);
    queue.canSendSocketRequestImmediately = () => false;
    queue.pending.push({});
    const setTimer = vi.spyOn(globalThis, 'setTimeout');
    queue.checkPendingRequests();
    expect(setTimer).toHaveBeenCalledOnce();
    queue.destroy();
    setTimer.mockRestore();
  });
});

describe('a wrapped request', () => {
  const created = { request: { apiVersion: 1 }, response: { decode: async () => undefined } };
  const lookupRequest = () => () => created;

  it('is wrapped once, beside those of other kinds, until the broker is connected again', () => {
    const broker = { lookupRequest: lookupRequest as (key: number) => (args: object) => unknown };
    const create = vi.fn(lookupRequest());
    const wrap = (): typeof create => create;
    wrapRequest(broker, 1, wrap);
    const wrapped = broker.lookupRequest;
    wrapRequest(broker, 1, wrap);
    expect(broker.lookupRequest).toBe(wrapped);
    wrapRequest(broker, 11, wrap);
    for (const key of [1, 11, 3]) broker.lookupRequest(key)({});
    expect(create).toHaveBeenCalledTimes(2);
    broker.lookupRequest = lookupRequest;
    wrapRequest(broker, 1, wrap);
    broker.lookupRequest(1)({});
    expect(create).toHaveBeenCalledTimes(3);
  });
});
