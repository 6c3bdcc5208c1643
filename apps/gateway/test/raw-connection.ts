import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

/** TCP connection whose bytes the test writes itself. */
export interface RawConnection {
  readonly socket: Socket;
  write(text: string): void;
  /** All received text, once the other end has closed. */
  readonly received: Promise<string>;
  close(): void;
}

/** Connects to a server on this machine. */
export async function rawConnection(port: number): Promise<RawConnection> {
  const socket = connect(port, '127.0.0.1');
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  // Some of these connections end with a reset after the answer. Only what came before it counts.
  socket.on('error', () => undefined);
  const { promise: received, resolve } = Promise.withResolvers<string>();
  socket.once('close', () => resolve(Buffer.concat(chunks).toString()));
  await once(socket, 'connect');
  return {
    socket,
    received,
    write: (text) => void socket.write(text),
    close: () => void socket.destroy(),
  };
}

/** Parses the JSON body of a raw answer. */
export function bodyOf(answer: string): unknown {
  return JSON.parse(answer.slice(answer.indexOf('\r\n\r\n') + 4));
}
