/**
 * Program of the receiver. It listens on two loopback addresses at free ports, responds, counts, and
 * reports over IPC (see protocol.ts). It ends with its parent.
 */

import { type AddressInfo, createServer, type Socket } from 'node:net';
import { type ReceiverCommand, type ReceiverReport, receiverPaths } from './protocol.js';
import { RequestCounter } from './request-counter.js';
import { RequestReader } from './request-reader.js';

const ok = Buffer.from(
  'HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 2\r\n\r\nok',
);
const unavailable = Buffer.from(
  'HTTP/1.1 503 Service Unavailable\r\ncontent-type: text/plain\r\ncontent-length: 4\r\n\r\nbusy',
);

const counter = new RequestCounter((count, atNs) => report({ type: 'reached', count, atNs }));

process.on('message', (command: ReceiverCommand) => {
  switch (command.type) {
    case 'reset':
      counter.reset(command.latencies);
      return report({ type: 'reset' });
    case 'watch':
      return counter.watch(command.count);
    case 'counts':
      return report({ type: 'counts', counts: counter.counts() });
    case 'latencies':
      return report({ type: 'latencies', latenciesMs: counter.latenciesMs });
  }
});
process.on('disconnect', () => process.exit());

// Two addresses are two hosts to a contender: slow responses of one do not slow the other.
const origin = await listen('127.0.0.1');
const otherOrigin = await listen('127.0.0.2');
report({ type: 'listening', origin, otherOrigin });

function listen(address: string): Promise<string> {
  const server = createServer({ noDelay: true }, serve);
  return new Promise((resolve, reject) => {
    server.on('error', reject);
    server.listen({ host: address, port: 0, backlog: 1024 }, () => {
      resolve(`http://${address}:${(server.address() as AddressInfo).port}`);
    });
  });
}

function serve(socket: Socket): void {
  const reader = new RequestReader((head) => respond(socket, head));
  socket.on('data', (chunk) => {
    try {
      reader.read(chunk);
    } catch {
      socket.destroy();
    }
  });
  // A contender that is stopped resets its connections, which is expected.
  socket.on('error', () => socket.destroy());
}

function respond(socket: Socket, head: string): void {
  const pathStart = head.indexOf(' ') + 1;
  if (head.startsWith(receiverPaths.unavailable, pathStart)) {
    counter.unavailable += 1;
    socket.write(unavailable);
  } else if (head.startsWith(receiverPaths.hang, pathStart)) {
    counter.hanging += 1;
  } else {
    if (head.startsWith(receiverPaths.ordered, pathStart)) {
      const queueStart = pathStart + receiverPaths.ordered.length;
      counter.checkOrder(head.slice(queueStart, head.indexOf(' ', queueStart)));
    }
    counter.deliver(head);
    socket.write(ok);
  }
}

function report(message: ReceiverReport): void {
  process.send?.(message);
}
