import { describe, expect, it, vi } from 'vitest';
import { createClient } from './create-client.js';

describe('createClient', () => {
  it('refuses a stream that does not exist', async () => {
    await expect(createClient('p', 'rabbit' as 'kafka')).rejects.toMatchObject({
      code: 'STREAM_UNSUPPORTED',
      message: 'unsupported stream',
    });
  });

  it('refuses wrong options', async () => {
    await expect(createClient('p', 'none', [], { lingerMs: -1 })).rejects.toMatchObject({
      code: 'OPTION_INVALID',
    });
    await expect(createClient('p', 'postgres')).rejects.toMatchObject({ code: 'OPTION_INVALID' });
    const schemas = { orders: { placed: { type: 'nonsense' } } };
    await expect(createClient('p', 'none', [], { schemas })).rejects.toMatchObject({
      code: 'OPTION_INVALID',
    });
  });

  it('passes the options of Kafka to its driver, and does not connect', async () => {
    const invalid = expect.objectContaining({ code: 'OPTION_INVALID' });
    const brokers = ['localhost:1'];
    await expect(createClient('p', 'kafka')).rejects.toEqual(invalid);
    await expect(createClient('p', 'kafka', brokers, { acks: 'some' as 'all' })).rejects.toEqual(
      invalid,
    );
    const client = await createClient('p', 'kafka', brokers, { lingerMs: 0, sendErrorDlq: true });
    await client.close();
  });

  it('creates clients that store nothing, too', async () => {
    const client = await createClient('p', 'none');
    await client.publish({ topic: 'orders', eventName: 'placed' });
    client.register({ topic: 'orders', callback: vi.fn() });
    expect(await client.health()).toMatchObject({ healthy: true });
    await client.close();
  });
});
