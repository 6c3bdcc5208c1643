import { describe, expect, it } from 'vitest';
import type { RawClient } from '../../test/raw-client.js';
import { startRealtime } from '../../test/test-server.js';

const authorization = { 'x-api-key': 'key' };

/** Subscribes and publishes, which shows that the connection still works. */
async function expectWorking(client: RawClient): Promise<void> {
  client.send({ type: 'subscribe', id: 'still', channel: '/default/still', authorization });
  const events = ['"works"'];
  client.send({ type: 'publish', id: 'works', channel: '/default/still', events, authorization });
  await client.next(({ type, event }) => type === 'data' && event === '"works"');
}

const error = (errorType: string) => [expect.objectContaining({ errorType })];

describe('a frame that is no message', () => {
  it.each([
    ['no JSON', '{"type":"publish"', 'BadRequestException'],
    ['empty', '', 'BadRequestException'],
    ['null', 'null', 'BadRequestException'],
    ['an array', '[{"type":"connection_init"}]', 'BadRequestException'],
    ['a number', '7', 'BadRequestException'],
    ['an object without a type', '{"id":"a"}', 'BadRequestException'],
    ['a type that is no text', '{"type":["publish"],"id":"a"}', 'BadRequestException'],
    ['binary', Buffer.from('{"type":"connection_init"}'), 'BadRequestException'],
    ['deep', `${'['.repeat(100_000)}${']'.repeat(100_000)}`, 'BadRequestException'],
    ['an unknown type without id', '{"type":"start"}', 'UnsupportedOperation'],
    ['a prototype', '{"type":"__proto__","__proto__":{"id":"a"}}', 'UnsupportedOperation'],
    [
      'a subscribe without id',
      '{"type":"subscribe","channel":"/default/a"}',
      'BadRequestException',
    ],
    ['an id of a wrong type', '{"type":"unsubscribe","id":7}', 'BadRequestException'],
    ['an id with a space', '{"type":"unsubscribe","id":"a b"}', 'BadRequestException'],
    ['an id of 129', `{"type":"publish","id":"${'i'.repeat(129)}"}`, 'BadRequestException'],
  ])('is answered with an error without id: %s', async (_name, frame, errorType) => {
    const client = await (await startRealtime()).open();
    client.send(frame);
    const answer = await client.next(({ type }) => type === 'error');
    expect(answer).toEqual({ type: 'error', errors: error(errorType) });
    await expectWorking(client);
  });

  it('is answered with its id if only the type is unknown', async () => {
    const client = await (await startRealtime()).open();
    client.send({ type: 'start', id: 'a-1_+' });
    const answer = await client.next(({ type }) => type === 'error');
    expect(answer).toEqual({ type: 'error', id: 'a-1_+', errors: error('UnsupportedOperation') });
    await expectWorking(client);
  });
});

describe('a frame with wrong fields', () => {
  it.each([
    ['subscribe', { channel: 7 }, 'BadRequestException'],
    ['subscribe', {}, 'BadRequestException'],
    ['subscribe', { channel: '/*' }, 'BadRequestException'],
    ['subscribe', { channel: '/default/*/a' }, 'BadRequestException'],
    ['subscribe', { channel: '/default/a/b/c/d/e' }, 'BadRequestException'],
    ['subscribe', { channel: `/default/${'c'.repeat(51)}` }, 'BadRequestException'],
    ['subscribe', { channel: '/default/-a' }, 'BadRequestException'],
    ['subscribe', { channel: '/default//a' }, 'BadRequestException'],
    ['subscribe', { channel: '/default/a', authorization: {} }, 'UnauthorizedException'],
    ['subscribe', { channel: '/unknown/a' }, 'ResourceNotFound'],
    ['publish', { channel: '/default/*', events: ['1'] }, 'BadRequestException'],
    ['publish', { channel: ['/default/a'], events: ['1'] }, 'BadRequestException'],
    ['publish', { channel: '/default/a' }, 'BadRequestException'],
    ['publish', { channel: '/default/a', events: [] }, 'BadRequestException'],
    ['publish', { channel: '/default/a', events: '1' }, 'BadRequestException'],
    ['publish', { channel: '/default/a', events: ['1', 2] }, 'BadRequestException'],
    ['publish', { channel: '/default/a', events: ['1', 'eventa'] }, 'BadRequestException'],
    [
      'publish',
      { channel: '/default/a', events: ['1', '2', '3', '4', '5', '6'] },
      'InvalidInputError',
    ],
    ['publish', { channel: '/unknown/a', events: ['1'] }, 'UnauthorizedException'],
    ['unsubscribe', {}, 'UnknownOperationError'],
  ])('is answered with the error of its operation: %s %j', async (type, fields, errorType) => {
    const client = await (await startRealtime()).open();
    client.send({ type: 'subscribe', id: 'all', channel: '/default/*', authorization });
    client.send({ type, id: 'x', ...fields });
    const answer = await client.next(({ id }) => id === 'x');
    expect(answer).toEqual({ type: `${type}_error`, id: 'x', errors: error(errorType) });
    await expectWorking(client);
    expect(client.frames.filter((frame) => frame.type === 'data')).toHaveLength(2);
  });
});

it('accepts channels at the limits, and normalises them', async () => {
  const client = await (await startRealtime()).open();
  const longest = `default/${Array.from({ length: 4 }, () => 'c'.repeat(50)).join('/')}/`;
  for (const [index, channel] of [longest, '/default', 'default/', '/default/a/b/c/*'].entries()) {
    client.send({ type: 'subscribe', id: `s${index}`, channel });
    await client.next(({ type, id }) => type === 'subscribe_success' && id === `s${index}`);
  }
  client.send({ type: 'publish', id: 'p', channel: `/${longest}`, events: ['1'] });
  await client.next(({ type, id }) => type === 'data' && id === 's0');
  client.send({ type: 'publish', id: 'q', channel: '/default/', events: ['2'] });
  await client.next(({ type, id }) => type === 'data' && id === 's1');
  await client.next(({ type, id }) => type === 'data' && id === 's2');
});

it('closes with 1009 when a frame is too big', async () => {
  const server = await startRealtime({ limits: { maxFrameBytes: 10_000 } });
  const client = await server.open();
  client.send(JSON.stringify({ type: 'start', text: 'x'.repeat(9_960) }));
  await client.next(({ type }) => type === 'error');
  client.send('x'.repeat(10_001));
  expect(await client.end()).toMatchObject({ code: 1009 });
});

it('reads frames that come in fragments, split inside a character', async () => {
  const client = await (await startRealtime()).open();
  client.send({ type: 'subscribe', id: 's', channel: '/default/a' });
  const text = JSON.stringify({
    type: 'publish',
    id: 'p',
    channel: '/default/a',
    events: ['"größer 😀"'],
  });
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += 1) {
    const isLast = at === bytes.length - 1;
    client.socket.send(bytes.subarray(at, at + 1), { fin: isLast, binary: false });
  }
  const data = await client.next(({ type }) => type === 'data');
  expect(data).toEqual({ type: 'data', id: 's', event: '"größer 😀"' });
});

it('refuses ids that are in use, and frees them afterwards', async () => {
  const client = await (await startRealtime()).open();
  client.send({ type: 'subscribe', id: 'a', channel: '/default/a' });
  client.send({ type: 'subscribe', id: 'a', channel: '/default/b' });
  client.send({ type: 'publish', id: 'a', channel: '/default/a', events: ['1'] });
  client.send({ type: 'unsubscribe', id: 'a' });
  client.send({ type: 'unsubscribe', id: 'a' });
  client.send({ type: 'subscribe', id: 'a', channel: '/default/b' });
  await expect.poll(() => client.frames.length).toBe(8);
  expect(client.frames.slice(2)).toEqual([
    { type: 'subscribe_success', id: 'a' },
    { type: 'subscribe_error', id: 'a', errors: error('DuplicatedOperationError') },
    { type: 'publish_error', id: 'a', errors: error('DuplicatedOperationError') },
    { type: 'unsubscribe_success', id: 'a' },
    { type: 'unsubscribe_error', id: 'a', errors: error('UnknownOperationError') },
    { type: 'subscribe_success', id: 'a' },
  ]);
});

it('keeps at most 200 subscriptions of thousands that a connection asks for', async () => {
  const server = await startRealtime();
  const client = await server.open();
  for (let index = 0; index < 3_000; index += 1) {
    client.send({ type: 'subscribe', id: `s${index}`, channel: `/default/${index}` });
  }
  const answers = () => client.frames.filter(({ type }) => type.startsWith('subscribe'));
  await expect.poll(() => answers().length, { timeout: 20_000 }).toBe(3_000);
  const refused = client.frames.filter(({ type }) => type === 'subscribe_error');
  expect(refused).toHaveLength(2_800);
  expect(refused.at(-1)).toMatchObject({ errors: error('MaxSubscriptionsReachedError') });
  expect(server.realtime.counts().subscriptions).toBe(200);
  client.socket.close();
  await expect.poll(() => server.realtime.counts().subscriptions).toBe(0);
});

it('works without connection_init, and acknowledges a second one again', async () => {
  const client = await (await startRealtime()).connect();
  await expectWorking(client);
  expect(client.frames[0]).toEqual({ type: 'subscribe_success', id: 'still' });
  client.send({ type: 'connection_init', payload: { unknown: [1] } });
  client.send({ type: 'connection_init' });
  await expect
    .poll(() => client.frames.filter(({ type }) => type === 'connection_ack').length)
    .toBe(2);
});

it('ignores the fields that Amplify adds', async () => {
  const client = await (await startRealtime()).open();
  const payload = { channel: '/default/other', extensions: { authorization: {} } };
  client.send({ type: 'subscribe', id: 's', channel: '/default/a', payload, authorization });
  await client.next(({ type }) => type === 'subscribe_success');
});
