import { setTimeout as sleep } from 'node:timers/promises';
import {
  type KafkaBroker,
  type KafkaCluster,
  quickRecovery,
  startKafkaCluster,
} from '@posthaste/testbed';
import { describeWithKafkaCluster } from '@posthaste/testbed/vitest';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { type ClientTarget, clientFixtureOn, onWire } from './client-fixture.js';
import { kafkaClients, kafkaTarget } from './kafka-clients.js';
import { administer, createTopic } from './kafka-topic.js';
import { SteadyTraffic } from './steady-traffic.js';

const settings = {
  'min.insync.replicas': '2',
  'offsets.topic.replication.factor': '3',
  ...quickRecovery,
};
const waitOptions = { timeout: 60_000, interval: 50 };

/** Both drivers at the same time, because the faults take long. */
describeWithKafkaCluster('clients on three brokers', () => {
  let cluster: KafkaCluster;
  beforeAll(async () => {
    cluster = await startKafkaCluster(3, settings);
  }, 240_000);
  afterAll(() => cluster?.close());
  const faults = [
    { what: 'is killed', victim: 2, fault: (node: KafkaBroker) => node.kill() },
    { what: 'is stopped, and hands over', victim: 3, fault: (node: KafkaBroker) => node.stop() },
  ];
  it.for(faults)(
    'lose nothing and keep the order of every key when a leader $what',
    { timeout: 120_000 },
    async ({ victim, fault }, { onTestFinished }) => {
      const node = cluster.nodes.get(victim);
      if (!node) throw new Error(`there is no broker ${victim}`);
      onTestFinished(() => node.start());
      const started = kafkaClients.map(async (client) => {
        const start = clientFixtureOn(() => toTarget(cluster, client.open, victim));
        const { newTopic, open } = start(onTestFinished);
        const topic = await newTopic(3);
        return { topic, traffic: await SteadyTraffic.start(topic, open) };
      });
      const running = await Promise.all(started);
      for (const { topic, traffic } of running) {
        await vi.waitFor(() => expect(traffic.arrived).toBeGreaterThan(100), waitOptions);
        expect(new Set(await leadersOf(cluster, topic))).toEqual(new Set([victim]));
      }
      await fault(node);
      // Other brokers lead its partitions while it is away.
      await waitForProgress(running.map(({ traffic }) => traffic));
      for (const { topic } of running)
        expect(await leadersOf(cluster, topic)).not.toContain(victim);
      await node.start();
      await waitForProgress(running.map(({ traffic }) => traffic));
      for (const { traffic } of running) {
        await traffic.stop();
        expect(traffic.failures).toEqual([]);
        await vi.waitFor(() => expect(traffic.arrived).toBe(traffic.published), waitOptions);
        // Records that are stored twice arrive soon after.
        await sleep(500);
        expect(traffic.numbersByKey).toEqual(traffic.expectedByKey);
        expect(traffic.failedTries).not.toEqual([]);
        expect(traffic.storedTwice).toBeLessThanOrEqual(traffic.maybeStored);
      }
    },
  );
});

/** Returns a target on whose topics one broker leads all partitions, and the others follow. */
function toTarget(
  { brokers, nodes }: KafkaCluster,
  open: (typeof kafkaClients)[number]['open'],
  leader: number,
): ClientTarget {
  const replicas = [leader, ...[...nodes.keys()].filter((id) => id !== leader)];
  return {
    ...kafkaTarget(brokers, open),
    createTopic: (topic, partitions) =>
      createTopic(brokers, {
        topic,
        replicaAssignment: Array.from({ length: partitions }, (_, partition) => ({
          partition,
          replicas,
        })),
      }),
  };
}

async function waitForProgress(traffics: readonly SteadyTraffic[]): Promise<void> {
  for (const traffic of traffics) {
    const enough = traffic.published + 200;
    await vi.waitFor(() => expect(traffic.arrived).toBeGreaterThan(enough), waitOptions);
  }
}

/** Returns the ids of the brokers that lead a partition of the topic. */
async function leadersOf({ brokers }: KafkaCluster, topic: string): Promise<number[]> {
  return administer(brokers, async (admin) => {
    const { topics } = await admin.fetchTopicMetadata({ topics: [onWire(topic)] });
    return topics.flatMap(({ partitions }) => partitions.map(({ leader }) => leader));
  });
}
