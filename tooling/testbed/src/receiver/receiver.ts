import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { readTestCertificate } from '../test-certificate.js';
import { perform } from './receiver-actions.js';
import { createScriptRunner, type ReceiverScript, type Step } from './receiver-script.js';
import { type ReceivedRequest, RequestLog } from './request-log.js';

const maxBodyBytes = 1024 * 1024;
const defaultWaitMs = 20_000;

/** Options of `startReceiver`. */
export interface ReceiverOptions {
  /** Address to listen on. Default 127.0.0.1. */
  readonly host?: string;
  /** Port to listen on. Default: a free one. */
  readonly port?: number;
  /** True for HTTPS with a self-signed certificate. Default false. */
  readonly tls?: boolean;
  /** Time after which an idle connection is closed, in ms. Default 60,000. */
  readonly keepAliveMs?: number;
}

/** Starts an HTTP server with a scripted behaviour. Default: it responds to everything with 200. */
export async function startReceiver(
  script: ReceiverScript = 200,
  options: ReceiverOptions = {},
): Promise<Receiver> {
  const { host = '127.0.0.1', port = 0, tls = false, keepAliveMs = 60_000 } = options;
  const limits = {
    // No limits, because the tests send slow and large requests.
    requestTimeout: 0,
    headersTimeout: 0,
    keepAliveTimeout: keepAliveMs,
    maxHeaderSize: 16 * 1024 * 1024,
  };
  const certificate = tls ? await readTestCertificate() : undefined;
  const server = certificate
    ? createTlsServer({ ...limits, ...certificate })
    : createServer(limits);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  return new Receiver(server, script, certificate?.cert);
}

/** A running receiver, with the requests that it got and its script. */
export class Receiver {
  /** URL without a slash at its end. */
  readonly url: string;
  readonly port: number;
  /** Certificate (PEM) that the client must trust; undefined without TLS. */
  readonly certificate: string | undefined;
  readonly #server: Server;
  readonly #log = new RequestLog();
  readonly #sockets = new Map<string, { readonly socket: Socket; readonly number: number }>();
  #nextStep: (request: ReceivedRequest) => Promise<Step>;
  #connectionsOpened = 0;
  #inFlight = 0;
  #peakInFlight = 0;

  /** Use `startReceiver`. */
  constructor(server: Server, script: ReceiverScript, certificate: string | undefined) {
    const { address, port } = server.address() as AddressInfo;
    this.port = port;
    this.certificate = certificate;
    this.url = `${certificate ? 'https' : 'http'}://${address}:${port}`;
    this.#server = server;
    this.#nextStep = createScriptRunner(script);
    server.on('connection', (socket) => this.#track(socket));
    server.on('request', (request, response) => void this.#handle(request, response));
  }

  /** The last requests, oldest first: at most 20,000 of them, and 64 MiB of bodies. */
  get requests(): readonly ReceivedRequest[] {
    return this.#log.requests;
  }

  /** Number of requests since the start or the last `clear`. */
  get count(): number {
    return this.#log.count;
  }

  get connectionsOpened(): number {
    return this.#connectionsOpened;
  }

  get connectionsOpen(): number {
    return this.#sockets.size;
  }

  /** Number of requests without a complete response. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /** Largest number of requests that were in flight at the same time. */
  get peakInFlight(): number {
    return this.#peakInFlight;
  }

  /** Follows another script from the next request on. Its request numbers start at 0. */
  follow(script: ReceiverScript): void {
    this.#nextStep = createScriptRunner(script);
  }

  /** Drops the requests so far, and resets their count. */
  clear(): void {
    this.#log.clear();
  }

  /**
   * Waits for `count` requests since the start or the last `clear`.
   * @param timeoutMs default 20 s
   */
  async waitFor(count: number, timeoutMs?: number): Promise<readonly ReceivedRequest[]> {
    return this.waitUntil(() => this.count >= count, timeoutMs);
  }

  /**
   * Waits until `isSatisfied` returns true. It is called again for each request.
   * @param timeoutMs default 20 s
   */
  async waitUntil(
    isSatisfied: (requests: readonly ReceivedRequest[]) => boolean,
    timeoutMs: number = defaultWaitMs,
  ): Promise<readonly ReceivedRequest[]> {
    await this.#log.waitUntil(() => isSatisfied(this.requests), timeoutMs);
    return this.requests;
  }

  /** Stops listening and destroys every connection. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const { socket } of this.#sockets.values()) socket.destroy();
    await closed;
  }

  #track(socket: Socket): void {
    // Under TLS the socket of a request is another object, which cannot be reset. The address of the
    // peer connects the two.
    const key = peerOf(socket);
    this.#connectionsOpened += 1;
    this.#sockets.set(key, { socket, number: this.#connectionsOpened });
    socket.on('error', () => undefined);
    socket.once('close', () => this.#sockets.delete(key));
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const connection = this.#sockets.get(peerOf(request.socket));
    this.#inFlight += 1;
    this.#peakInFlight = Math.max(this.#peakInFlight, this.#inFlight);
    response.once('close', () => {
      this.#inFlight -= 1;
    });
    // Clients that disconnect are part of many tests.
    response.on('error', () => undefined);
    const received = await readRequest(request, connection?.number ?? 0);
    this.#log.add(received);
    if (!received.complete) return;
    const reset = (): void => resetConnection(connection?.socket);
    try {
      await perform(await this.#nextStep(received), { request, response, reset });
    } catch (error) {
      if (!response.headersSent) response.writeHead(500);
      response.end(`the script of the receiver failed: ${error}`);
    }
  }
}

function peerOf(socket: Socket): string {
  return `${socket.remoteAddress} ${socket.remotePort}`;
}

function resetConnection(socket: Socket | undefined): void {
  // A reset fails if the socket is already ending, and would leave it open.
  if (socket?.writableEnded) socket.destroy();
  else socket?.resetAndDestroy();
}

async function readRequest(request: IncomingMessage, connection: number): Promise<ReceivedRequest> {
  const chunks: Buffer[] = [];
  let bodyBytes = 0;
  let complete = true;
  try {
    for await (const chunk of request) {
      if (bodyBytes < maxBodyBytes) chunks.push(chunk.subarray(0, maxBodyBytes - bodyBytes));
      bodyBytes += chunk.length;
    }
  } catch {
    // The client disconnected in the middle of its request.
    complete = false;
  }
  return {
    method: request.method ?? '',
    path: request.url ?? '',
    headers: request.headers,
    rawHeaders: request.rawHeaders,
    body: Buffer.concat(chunks),
    bodyBytes,
    complete,
    receivedAt: performance.timeOrigin + performance.now(),
    connection,
  };
}
