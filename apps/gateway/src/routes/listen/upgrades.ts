import { type IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { FastifyRequest } from 'fastify';
import type { WebSocket, WebSocketServer } from 'ws';
import type { App } from '../../app.js';

interface Upgrade {
  readonly socket: Duplex;
  readonly head: Buffer;
}

/*
 * Upgrades of routes. A request to become a WebSocket goes through the server as any other: rate limits,
 * keys, scopes, validation. A refusal is an ordinary answer. Only the handler of the route makes the
 * WebSocket, by `accept`.
 */

/** Paths with upgrades of each server. */
const pathsOf = new WeakMap<object, string[]>();

/** Upgrades of the routes of one server. */
export class RouteUpgrades {
  readonly #pending = new WeakMap<IncomingMessage, Upgrade>();
  readonly #sockets: WebSocketServer;

  constructor(sockets: WebSocketServer) {
    this.#sockets = sockets;
  }

  /**
   * Sends upgrades for the path through the server. The first that is attached also sends those for
   * paths of nobody, so that they are refused.
   */
  attach(app: App, path: string): void {
    const { server } = app;
    const paths = pathsOf.get(server) ?? [];
    pathsOf.set(server, paths);
    paths.push(path);
    server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      const asked = request.url?.split('?', 1)[0] ?? '';
      const owner = paths.includes(asked) ? asked : paths[0];
      if (owner !== path) return;
      socket.on('error', () => socket.destroy());
      this.#pending.set(request, { socket, head });
      const response = new ServerResponse(request);
      response.shouldKeepAlive = false;
      response.once('finish', () => socket.end());
      response.assignSocket(socket as Parameters<ServerResponse['assignSocket']>[0]);
      app.routing(request, response);
    });
  }

  /** True if the request asks to become a WebSocket. */
  isUpgrade({ raw }: FastifyRequest): boolean {
    return this.#pending.has(raw);
  }

  /** Makes the WebSocket. A faulty request is answered with 400, and `open` is not called. */
  accept(
    { raw }: FastifyRequest,
    response: ServerResponse,
    open: (socket: WebSocket) => void,
  ): void {
    this.#detach(raw, response, (socket, head) =>
      this.#sockets.handleUpgrade(raw, socket, head, open),
    );
  }

  /** Gives the connection to another server of WebSockets. */
  handOver(
    { raw }: FastifyRequest,
    response: ServerResponse,
    take: (socket: Duplex, head: Buffer) => void,
  ): void {
    this.#detach(raw, response, take);
  }

  #detach(
    request: IncomingMessage,
    response: ServerResponse,
    take: (socket: Duplex, head: Buffer) => void,
  ): void {
    const upgrade = this.#pending.get(request);
    if (!upgrade) throw new Error('the request is no upgrade');
    this.#pending.delete(request);
    const { socket, head } = upgrade;
    response.detachSocket(socket as Parameters<ServerResponse['detachSocket']>[0]);
    take(socket, head);
  }
}
