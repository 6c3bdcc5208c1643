import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';
import { type WebSocket, WebSocketServer } from 'ws';

/** Frame from a client. */
export interface ClientFrame {
  readonly type: string;
  readonly id?: string;
  readonly channel?: string;
  readonly events?: readonly string[];
  readonly authorization?: Readonly<Record<string, string>>;
  readonly [field: string]: unknown;
}

/** One connection, from the side of the server. */
export interface Peer {
  readonly frames: readonly ClientFrame[];
  readonly request: IncomingMessage;
  /** Sends an object as JSON, and texts and bytes as they are. */
  send(frame: object | string | Buffer): void;
  close(code?: number): void;
  /** Ends the TCP connection without a close frame. */
  cut(): void;
  readonly closed: Promise<number>;
}

/** Reply of a script to a frame: frames to send, or nothing. */
export type Script = (frame: ClientFrame, peer: Peer) => void;

/** Server whose answers a test decides. */
export interface ScriptedServer {
  /** `127.0.0.1:<port>` */
  readonly endpoint: string;
  readonly peers: readonly Peer[];
  script: Script;
  close(): Promise<void>;
}

/** Acknowledges, and answers every operation with success. */
export const agreeable: Script = (frame, peer) => {
  const { type, id, events = [] } = frame;
  if (type === 'connection_init')
    peer.send({ type: 'connection_ack', connectionTimeoutMs: 300_000 });
  if (type === 'subscribe') peer.send({ type: 'subscribe_success', id });
  if (type === 'unsubscribe') peer.send({ type: 'unsubscribe_success', id });
  if (type === 'publish') {
    const successful = events.map((_, index) => ({ identifier: `e${index}`, index }));
    peer.send({ type: 'publish_success', id, successful, failed: [] });
  }
};

/** Starts a server, on a given port after a restart. It selects `aws-appsync-event-ws`. */
export async function startScripted(script: Script = agreeable, port = 0): Promise<ScriptedServer> {
  const http: Server = createServer();
  const sockets = new WebSocketServer({
    server: http,
    handleProtocols: (protocols) => protocols.has('aws-appsync-event-ws') && 'aws-appsync-event-ws',
  });
  const peers: Peer[] = [];
  const server = {
    endpoint: '',
    peers,
    script,
    async close() {
      for (const socket of sockets.clients) socket.terminate();
      http.closeAllConnections();
      await new Promise((resolve) => http.close(resolve));
    },
  };
  sockets.on('connection', (socket, request) => {
    const peer = toPeer(socket, request);
    peers.push(peer);
    socket.on('message', (data) => {
      const frame = JSON.parse(String(data)) as ClientFrame;
      (peer.frames as ClientFrame[]).push(frame);
      server.script(frame, peer);
    });
  });
  await new Promise<void>((resolve) => http.listen(port, '127.0.0.1', resolve));
  server.endpoint = `127.0.0.1:${(http.address() as AddressInfo).port}`;
  onTestFinished(() => server.close());
  return server;
}

function toPeer(socket: WebSocket, request: IncomingMessage): Peer {
  return {
    frames: [],
    request,
    send: (frame) => {
      const isRaw = typeof frame === 'string' || Buffer.isBuffer(frame);
      socket.send(isRaw ? frame : JSON.stringify(frame));
    },
    close: (code = 1000) => socket.close(code),
    cut: () => socket.terminate(),
    closed: new Promise((resolve) => socket.once('close', resolve)),
  };
}
