/** Program: a loop over the sockets of `ws`, without channels, credentials and limits. */

import { createServer } from 'node:http';
import { type WebSocket, WebSocketServer } from 'ws';
import { reportPort } from './report-port.js';

const server = createServer();
const sockets = new WebSocketServer({ server, path: '/event/realtime' });
const subscribers = new Set<WebSocket>();

sockets.on('connection', (socket) => {
  socket.on('close', () => subscribers.delete(socket));
  socket.on('message', (data: Buffer) => {
    const frame = JSON.parse(data.toString()) as { type: string; id: string; events: string[] };
    if (frame.type === 'connection_init') {
      socket.send('{"type":"connection_ack","connectionTimeoutMs":300000}');
      socket.send('{"type":"ka"}');
    } else if (frame.type === 'subscribe') {
      subscribers.add(socket);
      socket.send(JSON.stringify({ type: 'subscribe_success', id: frame.id }));
    } else {
      for (const event of frame.events) {
        const text = JSON.stringify({ type: 'data', id: frame.id, event });
        for (const subscriber of subscribers) subscriber.send(text);
      }
    }
  });
});
reportPort(server);
