import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import type { Action, Ending, Respond, Step } from './receiver-script.js';

const block: Buffer = Buffer.alloc(64 * 1024);

/** One request with its response. */
export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** Resets the TCP connection, also below TLS. */
  readonly reset: () => void;
}

/** Executes a step. Returns early if the client disconnects. */
export async function perform(step: Step, exchange: Exchange): Promise<void> {
  if (typeof step === 'number') return respond({ kind: 'respond', status: step }, exchange);
  if (step.delayMs !== undefined) await pause(step.delayMs, exchange);
  if (!exchange.request.socket.destroyed) await act(step, exchange);
}

async function act(action: Action, exchange: Exchange): Promise<void> {
  const { response } = exchange;
  switch (action.kind) {
    case 'respond':
      return respond(action, exchange);
    case 'redirect':
      return void response.writeHead(action.status ?? 302, { location: action.location }).end();
    case 'hang':
      return action.after === 'head' ? response.writeHead(200).flushHeaders() : undefined;
    case 'close':
      return end('fin', exchange);
    case 'reset':
      return end('reset', exchange);
    case 'trickle':
      return trickle(action.body, action.everyMs, exchange);
    case 'slow-head':
      return slowHead(action.everyMs, exchange);
    case 'huge-body':
      return hugeBody(action.bytes, action.announced ?? false, exchange);
    case 'gzip-bomb':
      response.writeHead(200, { 'content-encoding': 'gzip' });
      return send(zeros(action.bytes).pipe(createGzip()), response);
    case 'cut-body':
      return cutBody(action.status ?? 200, action.ending ?? 'fin', exchange);
    case 'wrong-length':
      return raw(head(200, `Content-Length: ${action.announced}`) + action.body, 'fin', exchange);
    case 'huge-headers':
      return void response.writeHead(200, kilobyteHeaders(action.bytes)).end();
    case 'informational':
      for (let i = 0; i < (action.times ?? 1); i++) await write(head(action.status), exchange);
      return respond(action.final ?? { kind: 'respond' }, exchange);
    case 'raw':
      return raw(action.data, action.ending ?? 'fin', exchange);
  }
}

function respond({ status, headers, body, closeAfter }: Respond, exchange: Exchange): void {
  const { response } = exchange;
  if (closeAfter) response.once('finish', () => end(closeAfter, exchange));
  response.writeHead(status ?? 200, headers).end(body);
}

async function trickle(body: string, everyMs: number, exchange: Exchange): Promise<void> {
  const { request, response } = exchange;
  const bytes = Buffer.from(body);
  response.writeHead(200, { 'content-length': bytes.length }).flushHeaders();
  for (const byte of bytes) {
    await pause(everyMs, exchange);
    if (request.socket.destroyed) return;
    response.write(Buffer.of(byte));
  }
  response.end();
}

async function slowHead(everyMs: number, exchange: Exchange): Promise<void> {
  for (const byte of Buffer.from(head(200, 'Content-Length: 0'))) {
    await pause(everyMs, exchange);
    await write(Buffer.of(byte), exchange);
  }
  end('fin', exchange);
}

async function hugeBody(bytes: number, announced: boolean, { response }: Exchange): Promise<void> {
  response.writeHead(200, announced ? { 'content-length': bytes } : {});
  return send(zeros(bytes), response);
}

async function cutBody(status: number, ending: Ending, exchange: Exchange): Promise<void> {
  const chunk = 'this chunk says it is longer than it is';
  return raw(`${head(status, 'Transfer-Encoding: chunked')}ff\r\n${chunk}`, ending, exchange);
}

async function raw(
  data: string | Uint8Array,
  ending: Ending | 'open',
  exchange: Exchange,
): Promise<void> {
  await write(data, exchange);
  if (ending === 'fin') end('fin', exchange);
  // A reset discards data that is still being sent, so the client gets time to read first.
  else if (ending === 'reset') void pause(50, exchange).then(() => end('reset', exchange));
}

function end(ending: Ending, { request, reset }: Exchange): void {
  if (ending === 'reset') reset();
  // Ended and not destroyed, because the client must get everything that was written before.
  else request.socket.destroySoon();
}

/** Returns the text of a response head, with its empty line. */
function head(status: number, ...headers: string[]): string {
  return [`HTTP/1.1 ${status} Scripted`, ...headers, '', ''].join('\r\n');
}

function kilobyteHeaders(bytes: number): Record<string, string> {
  const count = Math.ceil(bytes / 1024);
  const names = Array.from({ length: count }, (_, index) => `x-huge-${index}`);
  return Object.fromEntries(names.map((name) => [name, 'x'.repeat(1024 - name.length - 4)]));
}

function zeros(bytes: number): Readable {
  const blocks = function* (): Generator<Buffer> {
    for (let left = bytes; left > 0; left -= block.length) {
      yield left < block.length ? block.subarray(0, left) : block;
    }
  };
  return Readable.from(blocks(), { objectMode: false });
}

/** Sends a body. A client that disconnects is no error here. */
async function send(body: Readable, response: ServerResponse): Promise<void> {
  await pipeline(body, response).catch(() => undefined);
}

async function write(data: string | Uint8Array, { request }: Exchange): Promise<void> {
  const socket: Socket = request.socket;
  if (socket.destroyed) return;
  await new Promise<void>((resolve) => socket.write(data, () => resolve()));
}

/** Waits for `ms`, or until the connection ends. */
async function pause(ms: number, { request }: Exchange): Promise<void> {
  const { socket } = request;
  if (socket.destroyed) return;
  await new Promise<void>((resolve) => {
    const finish = (): void => {
      clearTimeout(timer);
      socket.off('close', finish);
      resolve();
    };
    const timer = setTimeout(finish, ms);
    socket.once('close', finish);
  });
}
