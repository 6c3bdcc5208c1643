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

/** A broker as kafkajs has it: answers each partition of each request with the code it is told. */
class ScriptedBroker {
  readonly requests: Buffer[] = [];
  codes: Readonly<Record<number, number>> = {};
  failure: Error | undefined;
  isConnected = true;
  /** Before a request is written. */
  connecting: Promise<void> = Promise.resolve();

  readonly connectionPool = {
    send: async ({ request, response }: Exchange): Promise<unknown> => {
      await this.connecting;
      this.requests.push((await request.encode()).buffer);
      if (this.failure) throw this.failure;
      return response.decode(toAnswer(this.codes));
    },
  };

  async disconnect(): Promise<void> {
    this.isConnected = false;
  }

  get asBroker(): Broker {
    return this as unknown as Broker;
  }
}

/** For topic `t`. Each partition: number, error, offset, time, first offset. */
function toAnswer(codes: Readonly<Record<number, number>>): Buffer {
  const entries = Object.entries(codes);
  const answer = Buffer.alloc(4 + 3 + 4 + entries.length * 30 + 4);
  answer.writeInt32BE(1, 0);
  answer.writeInt16BE(1, 4);
  answer.write('t', 6);
  answer.writeInt32BE(entries.length, 7);
  for (const [index, [partition, code]] of entries.entries()) {
    answer.writeInt32BE(Number(partition), 11 + index * 30);
    answer.writeInt16BE(code, 11 + index * 30 + 4);
  }
  return answer;
}

const batch = (partition: number, bytes = 10): PartitionBatch => ({
  topic: 't',
  partition,
  batch: Buffer.alloc(bytes, partition),
});

const attempt = (): SendState => ({ expired: false, sent: false });

describe('the queue of produce requests', () => {
  it('puts what is due in one moment into one request', async () => {
    const broker = new ScriptedBroker();
    const queue = new ProduceQueue(settings);
    await Promise.all([0, 1, 2].map((each) => queue.send(broker.asBroker, batch(each), attempt())));
    expect(broker.requests).toHaveLength(1);
    await queue.send(broker.asBroker, batch(0), attempt());
    expect(broker.requests).toHaveLength(2);
  });

  it('asks each leader for its own', async () => {
    const [first, second] = [new ScriptedBroker(), new ScriptedBroker()];
    const queue = new ProduceQueue(settings);
    await Promise.all([
      queue.send(first.asBroker, batch(0), attempt()),
      queue.send(second.asBroker, batch(1), attempt()),
    ]);
    expect([first, second].map(({ requests }) => requests.length)).toEqual([1, 1]);
  });

  it('fails those that the broker refuses, and not those beside them', async () => {
    const broker = new ScriptedBroker();
    broker.codes = { 0: 0, 1: messageTooLarge, 2: 0 };
    const queue = new ProduceQueue(settings);
    const sent = [0, 1, 2].map((each) => queue.send(broker.asBroker, batch(each), attempt()));
    const outcomes = await Promise.allSettled(sent);
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    await expect(sent[1]).rejects.toMatchObject({ type: 'MESSAGE_TOO_LARGE' });
  });

  it('fails all of a request that got no answer, and leaves a connection that was closed', async () => {
    const broker = new ScriptedBroker();
    broker.failure = Object.assign(new Error('closed'), { name: 'KafkaJSConnectionClosedError' });
    const queue = new ProduceQueue(settings);
    const sent = [0, 1].map((each) => queue.send(broker.asBroker, batch(each), attempt()));
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
        queue.send(broker.asBroker, batch(partition, bytes), attempt()),
      ),
    );
    const megabytes = broker.requests.map(({ length }) => Math.round(length / 1e6));
    expect(megabytes).toEqual([3, 2, 6, 0]);
  });

  it('tells which batches are sent when they are, and not while it connects', async () => {
    const broker = new ScriptedBroker();
    const { promise, reject } = Promise.withResolvers<void>();
    broker.connecting = promise;
    const unsent = attempt();
    const sending = new ProduceQueue(settings).send(broker.asBroker, batch(0), unsent);
    reject(new Error('no connection'));
    await expect(sending).rejects.toThrow('no connection');
    expect(unsent.sent).toBe(false);
    broker.connecting = Promise.resolve();
    broker.failure = new Error('no answer');
    const sent = attempt();
    const failing = new ProduceQueue(settings).send(broker.asBroker, batch(0), sent);
    await expect(failing).rejects.toThrow('no answer');
    expect(sent.sent).toBe(true);
  });

  it('leaves out what expired while it connected', async () => {
    const broker = new ScriptedBroker();
    const { promise, resolve } = Promise.withResolvers<void>();
    broker.connecting = promise;
    const attempts = [attempt(), attempt()];
    const queue = new ProduceQueue(settings);
    const sent = attempts.map((each, index) =>
      queue.send(broker.asBroker, batch(index, 1_000_000), each),
    );
    if (attempts[0]) attempts[0].expired = true;
    resolve();
    await sent[1];
    expect(attempts.map((each) => each.sent)).toEqual([false, true]);
    expect(broker.requests[0]?.length).toBeLessThan(1_100_000);
    const alone = { expired: true, sent: false };
    await expect(queue.send(broker.asBroker, batch(0), alone)).rejects.toThrow('nobody waits');
    expect(broker.requests).toHaveLength(1);
  });
});
