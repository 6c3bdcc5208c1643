import { type AddressInfo, createServer, type Socket } from 'node:net';

/** A running TCP server. */
export interface TcpServer {
  /** Address for clients, for example `127.0.0.1:40001`. */
  readonly address: string;
  readonly port: number;
  /** Stops listening and destroys every connection. */
  close(): Promise<void>;
}

/**
 * Starts a TCP server for faults before the first HTTP request: a TLS handshake without a response,
 * bytes that the client did not ask for. Default: it accepts connections and sends nothing.
 */
export async function startTcpServer(
  onConnection: (socket: Socket) => void = () => undefined,
): Promise<TcpServer> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.once('close', () => sockets.delete(socket));
    // Data is read and discarded, because an unread socket does not report that the client has closed.
    socket.resume();
    onConnection(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    address: `127.0.0.1:${port}`,
    port,
    close: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
