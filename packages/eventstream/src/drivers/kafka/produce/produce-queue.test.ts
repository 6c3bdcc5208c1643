import type { Broker } from 'kafkajs';
import { describe, expect, it } from 'vitest';
import { loadKafkajsInternals } from '../connection/kafkajs-internals.js';
import type { SendState } from './ordered-appends.js';
import { ProduceQueue } from './produce-queue.js';
import type { PartitionBatch } from './produce-request.js';

interface Exchange {
  readonly request: { encode(): Promise<{ readonly buffer: Buffer }> };
  readonly response: { decode(bytes: Buffer): Promise<unknown> };
}

const settings = { acks: -1, timeoutMs: 1_000, internals: loadKafkajsInternals() };
const messageTooLarge = 10;

/** A broker object of kafkajs that answers for each partition with the code that a test sets. */
class ScriptedBroker {
  readonly requests: Buffer[] = [];
  codes: Readonly<Record<number, number>> = {};
  failure: Error | undefined;
  isConnected = true;
  /** Resolves before a request is written. */
  connecting: Promise<void> = Promise.resolve();

  readonly connectionPool = {
    send: async ({ request, response }: Exchange): Promise<unknown> => {
      await this.connecting;
      this.requests.push((await request.encode()).buffer);
      if (this.failure) throw this.failure;
      return response.decode(encodeResponse(this.codes));
    },
  };

  async disconnect(): Promise<void> {
    this.isConnected = false;
  }

  get asBroker(): Broker {
    return this as unknown as Broker;
  }
}

/**
 * Encodes a response for topic `t`. Each partition has: index, error, offset, time, first offset.
 */
function encodeResponse(codes: Readonly<Record<number, number>>): Buffer {
  const entries = Object.entries(codes);
  const response = Buffer.alloc(4 + 3 + 4 + entries.length * 30 + 4);
  response.writeInt32BE(1, 0);
  response.writeInt16BE(1, 4);
  response.write('t', 6);
  response.writeInt32BE(entries.length, 7);
  for (const [index, [partition, code]] of entries.entries()) {
    response.writeInt32BE(Number(partition), 11 + index * 30);
    response.writeInt16BE(code, 11 + index * 30 + 4);
  }
  return response;
}

const batch = (partition: number, bytes = 10): PartitionBatch => ({
  topic: 't',
  partition,
  batch: Buffer.alloc(bytes, partition),
});

const newState = (): SendState => ({ expired: false, sent: false });

describe('the queue of produce requests', () => {
  it('puts batches that become ready in one tick into one request', async () => {
    const broker = new ScriptedBroker();
    const queue = new ProduceQueue(settings);
    await Promise.all(
      [0, 1, 2].map((each) => queue.send(broker.asBroker, batch(each), newState())),
    );
    expect(broker.requests).toHaveLength(1);
    await queue.send(broker.asBroker, batch(0), newState());
    expect(broker.requests).toHaveLength(2);
  });

  it('sends each leader its own batches', async () => {
    const [first, second] = [new ScriptedBroker(), new ScriptedBroker()];
    const queue = new ProduceQueue(settings);
    await Promise.all([
      queue.send(first.asBroker, batch(0), newState()),
      queue.send(second.asBroker, batch(1), newState()),
    ]);
    expect([first, second].map(({ requests }) => requests.length)).toEqual([1, 1]);
  });

  it('rejects batches that the broker refuses, and not those beside them', async () => {
    const broker = new ScriptedBroker();
    broker.codes = { 0: 0, 1: messageTooLarge, 2: 0 };
    const queue = new ProduceQueue(settings);
    const sent = [0, 1, 2].map((each) => queue.send(broker.asBroker, batch(each), newState()));
    const outcomes = await Promise.allSettled(sent);
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    await expect(sent[1]).rejects.toMatchObject({ type: 'MESSAGE_TOO_LARGE' });
  });

  it('rejects all batches of a request without a response, and leaves a closed connection', async () => {
    const broker = new ScriptedBroker();
    broker.failure = Object.assign(new Error('closed'), { name: 'KafkaJSConnectionClosedError' });
    const queue = new ProduceQueue(settings);
    const sent = [0, 1].map((each) => queue.send(broker.asBroker, batch(each), newState()));
    const outcomes = await Promise.allSettled(sent);
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(broker.isConnected).toBe(false);
  });

  it('sends no request over four megabytes, unless it is one batch', async () => {
    const broker = new ScriptedBroker();
    const queue = new ProduceQueue(settings);
    const sizes = [1_500_000, 1_500_000, 1_500_000, 6_000_000, 10];
    await Promise.all(
      sizes.map((bytes, partition) =>
        queue.send(broker.asBroker, batch(partition, bytes), newState()),
      ),
    );
    const megabytes = broker.requests.map(({ length }) => Math.round(length / 1e6));
    expect(megabytes).toEqual([3, 2, 6, 0]);
  });

  it('marks batches as sent when they are, and not while it connects', async () => {
    const broker = new ScriptedBroker();
    const { promise, reject } = Promise.withResolvers<void>();
    broker.connecting = promise;
    const unsent = newState();
    const sending = new ProduceQueue(settings).send(broker.asBroker, batch(0), unsent);
    reject(new Error('no connection'));
    await expect(sending).rejects.toThrow('no connection');
    expect(unsent.sent).toBe(false);
    broker.connecting = Promise.resolve();
    broker.failure = new Error('no answer');
    const sent = newState();
    const failing = new ProduceQueue(settings).send(broker.asBroker, batch(0), sent);
    await expect(failing).rejects.toThrow('no answer');
    expect(sent.sent).toBe(true);
  });

  it('leaves out a batch that expired while it connected', async () => {
    const broker = new ScriptedBroker();
    const { promise, resolve } = Promise.withResolvers<void>();
    broker.connecting = promise;
    const states = [newState(), newState()];
    const queue = new ProduceQueue(settings);
    const sent = states.map((each, index) =>
      queue.send(broker.asBroker, batch(index, 1_000_000), each),
    );
    if (states[0]) states[0].expired = true;
    resolve();
    await sent[1];
    expect(states.map((each) => each.sent)).toEqual([false, true]);
    expect(broker.requests[0]?.length).toBeLessThan(1_100_000);
    const alone = { expired: true, sent: false };
    await expect(queue.send(broker.asBroker, batch(0), alone)).rejects.toThrow('has expired');
    expect(broker.requests).toHaveLength(1);
  });
});
