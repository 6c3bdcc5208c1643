import { type IncomingMessage, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';

/** The subprotocol that the server selects. */
export const subprotocol = 'aws-appsync-event-ws';

/** Splits the subprotocols that a client offers. Some clients send them in the other order. */
export function offeredProtocols(request: IncomingMessage): string[] {
  const header = request.headers['sec-websocket-protocol'] ?? '';
  return header.split(',').map((protocol) => protocol.trim());
}

/** Answers an upgrade by an HTTP response, and closes the socket. */
export function refuseUpgrade(socket: Duplex, status: number): void {
  socket.on('error', () => socket.destroy());
  const reason = STATUS_CODES[status] ?? '';
  socket.end(`HTTP/1.1 ${status} ${reason}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}

/** Returns the path of a request without its query. */
export function pathOf(request: IncomingMessage): string {
  return (request.url ?? '').split('?', 1)[0] ?? '';
}

/**
 * Returns the credential of an upgrade: the object in the subprotocol `header-…`, else the headers
 * of the request.
 */
export function connectHeaders(request: IncomingMessage): Record<string, string> {
  const encoded = offeredProtocols(request).find((protocol) => protocol.startsWith('header-'));
  const source: unknown = encoded ? decode(encoded.slice('header-'.length)) : request.headers;
  const headers: Record<string, string> = Object.create(null);
  for (const [name, value] of Object.entries(source ?? {})) {
    if (typeof value === 'string') headers[name.toLowerCase()] = value;
  }
  return headers;
}

function decode(encoded: string): unknown {
  try {
    return JSON.parse(Buffer.from(encoded, 'base64url').toString('utf8'));
  } catch {
    return undefined;
  }
}
