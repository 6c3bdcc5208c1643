import { createRequire } from 'node:module';
import { expect, it } from 'vitest';
import { createKafkaDriver } from './kafkajs-driver.js';

it('checks the internals of kafkajs when it is created', ({ onTestFinished }) => {
  const { prototype } = createRequire(import.meta.url)('kafkajs/src/cluster');
  const missing = { configurable: true, get: () => undefined, set: () => undefined };
  Object.defineProperty(prototype, 'connectionPoolBuilder', missing);
  onTestFinished(() => {
    delete prototype.connectionPoolBuilder;
  });
  expect(() => createKafkaDriver({ brokers: ['127.0.0.1:1'] })).toThrow(
    expect.objectContaining({
      code: 'INTERNAL',
      message: expect.stringContaining('lacks connectionPoolBuilder of its clusters'),
    }),
  );
});
