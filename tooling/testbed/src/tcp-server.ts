import { type AddressInfo, createServer, type Socket } from 'node:net';

export interface TcpServer {
  /** 127.0.0.1 and the port, as in `127.0.0.1:40001`. */
  readonly address: string;
  readonly port: number;
  /** Stops listening and destroys every connection. */
  close(): Promise<void>;
}

/**
 * A server below HTTP, for what happens before the first request is read: a TLS handshake that
 * is never answered, bytes that nobody asked for. Default: it accepts and stays silent.
 */
export async function startTcpServer(
  onConnection: (socket: Socket) => void = () => undefined,
): Promise<TcpServer> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.once('close', () => sockets.delete(socket));
    // Read and thrown away: an unread socket never tells that the client has gone.
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
