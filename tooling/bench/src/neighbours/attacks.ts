import { once } from 'node:events';
import { get } from 'node:http';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Attack, type AttackContext, call, repeat } from './attack-context.js';

const application = 'attacker';
/** Address of the attacker, another than the neighbour's. */
const localAddress = '127.0.0.2';

/** Filter whose work is its conditions times the keys of an event. */
const expensiveFilter: Attack = async (context) => {
  const { receiverUrl } = context;
  const filter = { allOf: Array.from({ length: 150 }, (_, n) => ({ minProperties: n })) };
  for (let i = 0; i < 20; i += 1) {
    const body = { url: `${receiverUrl}/filter`, name: `filter-${i}`, application };
    const { endpoint } = (await call(context, '/v1/endpoints', { body })) as {
      endpoint: { id: string };
    };
    const subscription = { endpointId: endpoint.id, eventName: 'large.event', filter };
    await call(context, '/v1/subscriptions', { body: subscription });
  }
  const payload = Object.fromEntries(Array.from({ length: 80_000 }, (_, n) => [`k${n}`, 0]));
  const event = { topic: 'large', name: 'large.event', application, payload };
  // In the middle of the measurement: its matching alone once took a minute.
  await sleep(context.durationMs / 2);
  await call(context, '/v1/events', { body: event });
  await sleep(context.durationMs / 2);
};

/** Sends text on connections of its own, and reads nothing. */
function sendRaw(context: AttackContext, text: string, reads: boolean): Promise<void> {
  const { hostname, port } = new URL(context.gatewayUrl);
  return new Promise((resolve) => {
    const socket = connect({ host: hostname, port: Number(port), localAddress });
    if (reads) socket.resume();
    socket.on('error', () => undefined);
    socket.once('close', () => resolve());
    socket.write(text);
    setTimeout(() => socket.destroy(), context.durationMs);
  });
}

const pipelinedWithoutKey: Attack = async (context) => {
  const text = 'GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n'.repeat(1_500);
  await Promise.all(Array.from({ length: 400 }, () => sendRaw(context, text, false)));
};

const pipelinedReads: Attack = async (context) => {
  const text = `GET /v1/callbacks?limit=50 HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${context.token}\r\n\r\n`;
  await repeat(context, async () => {
    const short = { ...context, durationMs: Math.min(5_000, context.durationMs) };
    await Promise.all(Array.from({ length: 6 }, () => sendRaw(short, text.repeat(1_000), true)));
  });
};

/** Callbacks to the platform's own replays, whose filter matches themselves; an endpoint that tests itself. */
const callsToItself: Attack = async (context) => {
  const { gatewayUrl, token, durationMs } = context;
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${token}` };
  for (const state of ['delivered', 'failed']) {
    const json = { filter: { state, application } };
    const body = { url: `${gatewayUrl}/v1/replays`, application, headers, json };
    for (let i = 0; i < 20; i += 1) await call(context, '/v1/callbacks', { body });
  }
  const body = { url: gatewayUrl, name: 'itself', application };
  const { endpoint } = (await call(context, '/v1/endpoints', { body })) as {
    endpoint: { id: string };
  };
  const path = `/v1/endpoints/${endpoint.id}`;
  const url = `${gatewayUrl}${path}/test`;
  await call(context, path, { method: 'PATCH', body: { url, headers } });
  await call(context, `${path}/test`);
  await sleep(durationMs);
};

const forgedEvents: Attack = async (context) => {
  const event = { topic: 'anything', name: 'callback.failed', application, payload: {} };
  const body = JSON.stringify(Array.from({ length: 20 }, () => event));
  const publish = () => repeat(context, () => call(context, '/v1/events', { body }));
  await Promise.all(Array.from({ length: 8 }, publish));
};

const mailToStrangers: Attack = async (context) => {
  const { receiverUrl } = context;
  let sent = 0;
  await repeat(context, async () => {
    sent += 1;
    const failureEmail = `stranger-${sent}@example.com`;
    const retry = { phases: [], failureEmail };
    const body = { url: `${receiverUrl}/fail`, application, retry };
    await call(context, '/v1/callbacks', { body });
    await sleep(50);
  });
};

const retriesWithoutWaits: Attack = async (context) => {
  const retry = { phases: [{ retries: 9_000, delayMs: 0 }] };
  const body = { url: `${context.receiverUrl}/fail`, application, retry };
  for (let i = 0; i < 50; i += 1) await call(context, '/v1/callbacks', { body });
  await sleep(context.durationMs);
};

const manyFollowers: Attack = async (context) => {
  const { gatewayUrl, token, durationMs } = context;
  const event = { topic: 'followed', name: 'a.b', application, payload: {} };
  await call(context, '/v1/events', { body: event });
  const headers = { accept: 'text/event-stream', authorization: `Bearer ${token}` };
  const requests = await Promise.all(
    Array.from({ length: 300 }, async () => {
      const request = get(`${gatewayUrl}/v1/events?topic=followed`, { headers, agent: false });
      request.on('error', () => undefined).on('response', (answer) => answer.resume());
      return request;
    }),
  );
  await sleep(durationMs);
  for (const request of requests) request.destroy();
};

const manyConnections: Attack = async ({ gatewayUrl, durationMs }) => {
  const { hostname, port } = new URL(gatewayUrl);
  const sockets: Socket[] = [];
  for (let i = 0; i < 3_000; i += 1) {
    const socket = connect({ host: hostname, port: Number(port), localAddress });
    sockets.push(socket.on('error', () => undefined));
    if (i % 50 === 49) await sleep(50);
  }
  await sleep(durationMs);
  for (const socket of sockets) socket.destroy();
};

/** A receiver that sends a status line, or a chunk extension, without an end. */
const endlessAnswers: Attack = async (context) => {
  const server = createServer((socket) => {
    socket
      .on('error', () => undefined)
      .once('data', (request) => {
        const isChunk = String(request).includes('/chunk');
        socket.write(
          isChunk ? 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;' : 'HTTP/1.1 200 ',
        );
        const timer = setInterval(() => {
          if (socket.writableLength < 1_000_000) socket.write('x'.repeat(32_768));
        }, 5);
        socket.once('close', () => clearInterval(timer));
      });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const retry = { phases: [{ retries: 3, delayMs: 1_000 }] };
  for (let i = 0; i < 100; i += 1) {
    const url = `${origin}${i % 2 === 0 ? '/line' : '/chunk'}`;
    await call(context, '/v1/callbacks', { body: { url, application, timeoutMs: 5_000, retry } });
  }
  await sleep(context.durationMs);
  server.close();
};

const faultyBodies: Attack = async (context) => {
  const object = (keys: number) =>
    Object.fromEntries(Array.from({ length: keys }, (_, n) => [String(n), 0]));
  const items = Array.from({ length: 1_000 }, () => object(110));
  const bodies: readonly (readonly [string, unknown])[] = [
    ['/v1/callbacks/batch', { items }],
    ['/v1/callbacks', object(110_000)],
    ['/v1/events', items],
    ['/v1/endpoints', { url: 'x', name: 'x', ...object(110_000) }],
  ];
  const texts = bodies.map(([path, body]) => [path, JSON.stringify(body)] as const);
  await repeat(context, async () => {
    for (const [path, body] of texts) {
      await call(context, path, { body: body.slice(0, 1_000_000) });
      await sleep(200);
    }
  });
};

/** The attacks by which one tenant has hurt others, by name. Each uses one key, or none. */
export const attacks: Readonly<Record<string, Attack>> = {
  'a filter that burns CPU': expensiveFilter,
  'pipelining without a key': pipelinedWithoutKey,
  'pipelined reads': pipelinedReads,
  'callbacks to the platform itself': callsToItself,
  'forged platform events': forgedEvents,
  'mail to strangers': mailToStrangers,
  'retries without waits': retriesWithoutWaits,
  'all places for followers': manyFollowers,
  'all connections': manyConnections,
  'answers without an end': endlessAnswers,
  'faulty bodies of 1 MB': faultyBodies,
};
