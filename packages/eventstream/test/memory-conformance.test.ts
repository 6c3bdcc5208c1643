import { describe } from 'vitest';
import { createMemoryDriver } from '../src/drivers/memory/memory-driver.js';
import { MemoryStream } from '../src/drivers/memory/memory-stream.js';
import { testDriver } from './conformance.js';

describe.concurrent('the memory driver', () => {
  testDriver(async () => {
    const stream = new MemoryStream({ maxRecordBytes: 100_000, createTopics: false });
    return {
      connect: () => createMemoryDriver(stream),
      createTopic: async (topic, partitions) => stream.createTopic(topic, partitions),
      tooLargeBytes: 100_001,
      sessionMs: 100,
      settleMs: 20_000,
      close: async () => undefined,
    };
  });
});
