import { PassThrough } from 'node:stream';
import { describe, expect, it, vi } from 'vitest';
import type { OutgoingRecord } from '../record.js';
import { createNoneDriver } from './none.js';
import { createStdoutDriver } from './stdout.js';

function request(...texts: string[]) {
  const records: OutgoingRecord[] = texts.map((text) => ({
    key: null,
    value: Buffer.from(text),
    headers: {},
  }));
  return { topic: 't', partition: 0, records, timeoutMs: 1_000 };
}

describe('stdout driver', () => {
  it('writes each event as a line of its own', async () => {
    const output = new PassThrough();
    await createStdoutDriver(output).append(request('{"id":"1"}', '{"id":"2"}'));
    expect(String(output.read())).toBe('{"id":"1"}\n{"id":"2"}\n');
  });

  it('reports that nothing was written when the output is closed', async () => {
    const output = new PassThrough();
    output.on('error', vi.fn());
    output.end();
    await expect(createStdoutDriver(output).append(request('x'))).rejects.toMatchObject({
      code: 'STREAM_CLOSED',
    });
  });
});

describe('none driver', () => {
  it('accepts every record and delivers none', async () => {
    const driver = createNoneDriver();
    await driver.append(request('x'));
    const handler = { assigned: vi.fn(), records: vi.fn(), lost: vi.fn() };
    const subscription = driver.subscribe(
      { topic: 't', groupId: 'g', groupInstanceId: undefined, startOffset: 0n, drainMs: 1 },
      { ...handler, revoked: async () => undefined, interrupted: vi.fn() },
    );
    await subscription.commit(new Map());
    await subscription.close();
    expect(await driver.partitionCount('t')).toBe(1);
    expect(await driver.lag('t')).toEqual([]);
    await driver.ping();
    await driver.close();
    expect(handler.assigned).not.toHaveBeenCalled();
  });
});
