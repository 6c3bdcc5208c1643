import { type IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';

/** Connection of a request to become a WebSocket. */
export interface Upgrade {
  readonly socket: Duplex;
  /** Bytes that came behind the request. */
  readonly head: Buffer;
}

/*
 * Upgrades of routes. A request to become a WebSocket goes through the server as any other: rate limits,
 * keys, scopes, validation. A refusal is an ordinary answer. Only the handler of the route makes the
 * WebSocket, of what `takeOver` returns.
 */

/** Upgrades of the routes of one server. */
export class RouteUpgrades {
  readonly #pending = new WeakMap<IncomingMessage, Upgrade>();

  /** Sends all upgrades through the server. */
  attach(app: Pick<FastifyInstance, 'server' | 'routing'>): void {
    app.server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
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

  /** Hands the connection over: the server answers nothing more. To be called once. */
  takeOver({ raw }: FastifyRequest, reply: FastifyReply): Upgrade {
    const upgrade = this.#pending.get(raw);
    if (!upgrade) throw new Error('the request is no upgrade');
    this.#pending.delete(raw);
    reply.hijack();
    const { socket } = upgrade;
    reply.raw.detachSocket(socket as Parameters<ServerResponse['detachSocket']>[0]);
    return upgrade;
  }
}
