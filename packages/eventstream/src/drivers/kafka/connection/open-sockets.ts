import type { Socket } from 'node:net';

/** The connections of one client, to be ended when it does not end them itself. */
export class OpenSockets {
  readonly #sockets = new Set<Socket>();

  add(socket: Socket): void {
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
  }

  /** With an error, since kafkajs answers what waits on a connection only when it fails. */
  destroy(): void {
    for (const socket of this.#sockets) socket.destroy(new Error('the client was closed'));
  }
}
