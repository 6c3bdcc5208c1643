/** Program: a room of socket.io, over WebSocket only. */

import { createServer } from 'node:http';
import { Server } from 'socket.io';
import { reportPort } from './report-port.js';

const server = createServer();
const io = new Server(server, { transports: ['websocket'], serveClient: false });
io.on('connection', (socket) => {
  socket.on('join', () => {
    void socket.join('room');
    socket.emit('joined');
  });
  socket.on('publish', (event: string) => io.to('room').emit('data', event));
});
reportPort(server);
