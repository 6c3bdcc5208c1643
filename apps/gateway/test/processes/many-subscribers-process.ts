/**
 * Program: many subscribers of one channel, which connect at once, and again whenever they are cut.
 * Arguments: URL of the WebSocket, key, channel, number of subscribers. Prints a line of JSON
 * (`ManySubscribers`) when something has changed.
 */

import { WebSocket } from 'ws';

/** State of all subscribers. */
export interface ManySubscribers {
  /** Subscribers that the server has acknowledged at present. */
  subscribed: number;
  /** Number of subscribers by event that they have got. */
  readonly events: Record<string, number>;
  /** Number of open connections that have ended, by code. */
  readonly closed: Record<string, number>;
  /** Connections that could not be opened. */
  failed: number;
}

const reportMs = 100;
/** Bounds of the random wait before the next attempt, in ms: they double, as those of our client. */
const wait = { initialMs: 250, maxMs: 4_000 };

const [url = '', key = '', channel = '', count = '0'] = process.argv.slice(2);
const credential = Buffer.from(JSON.stringify({ host: 'localhost', 'x-api-key': key }));
const protocols = ['aws-appsync-event-ws', `header-${credential.toString('base64url')}`];
const hello = [{ type: 'connection_init' }, { type: 'subscribe', id: 's', channel }];
const state: ManySubscribers = { subscribed: 0, events: {}, closed: {}, failed: 0 };
let printed = '';

function connect(failures: number): void {
  const socket = new WebSocket(url, protocols, { perMessageDeflate: false });
  let isSubscribed = false;
  let isOpen = false;
  socket.on('error', () => undefined);
  socket.on('open', () => {
    isOpen = true;
    for (const frame of hello) socket.send(JSON.stringify(frame));
  });
  socket.on('message', (data) => {
    const { type, event } = JSON.parse(String(data)) as { type: string; event?: string };
    if (type === 'subscribe_success') {
      isSubscribed = true;
      state.subscribed += 1;
    }
    if (event !== undefined) state.events[event] = (state.events[event] ?? 0) + 1;
  });
  socket.on('close', (code) => {
    if (isSubscribed) state.subscribed -= 1;
    if (isOpen) state.closed[code] = (state.closed[code] ?? 0) + 1;
    else state.failed += 1;
    const next = isSubscribed ? 0 : failures + 1;
    const bound = Math.min(wait.maxMs, wait.initialMs * 2 ** next);
    setTimeout(() => connect(next), Math.random() * bound);
  });
}

setInterval(() => {
  const line = JSON.stringify(state);
  if (line !== printed) console.log(line);
  printed = line;
}, reportMs);
for (let started = 0; started < Number(count); started += 1) connect(0);
