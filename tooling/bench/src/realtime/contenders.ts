import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { ServiceProcess } from '../contender.js';
import { startProcess } from '../service-process.js';

/** Core that servers run on, so that the load runs on the others. */
const serverCore = '0';

/** Texts of a protocol, as a subscriber and a publisher send them. */
export interface WireTexts {
  readonly path: string;
  /** Value of `Sec-WebSocket-Protocol`. */
  readonly subprotocols?: string;
  /**
   * Texts of a subscriber: those at 0 are sent after the upgrade, those at `n` after frame `n` of the
   * server. It is subscribed with frame 3.
   */
  readonly steps: readonly (readonly string[])[];
  /** Returns the text that publishes one event. */
  publish(event: string, number: number): string;
}

/** Server of the comparison. */
export interface RealtimeContender {
  readonly name: string;
  readonly script: string;
  readonly wire: WireTexts;
}

/** Frames after which a subscriber is subscribed, in every protocol here. */
export const framesBeforeEvents = 3;

const credential = Buffer.from(JSON.stringify({ host: 'localhost', 'x-api-key': 'bench' }));
const authorization = { 'x-api-key': 'bench' };

const eventsWire: WireTexts = {
  path: '/event/realtime',
  subprotocols: `aws-appsync-event-ws, header-${credential.toString('base64url')}`,
  steps: [
    [
      '{"type":"connection_init"}',
      JSON.stringify({
        type: 'subscribe',
        id: '6f3c1f0e-5a0e-4c57-9d0e-1d1c7ad1f5a1',
        channel: '/default/room',
        authorization,
      }),
    ],
  ],
  publish: (event, number) =>
    JSON.stringify({
      type: 'publish',
      id: `p${number}`,
      channel: '/default/room',
      events: [event],
      authorization,
    }),
};

const socketIoWire: WireTexts = {
  path: '/socket.io/?EIO=4&transport=websocket',
  // The server opens, then the client connects and joins.
  steps: [[], ['40'], ['42["join"]']],
  publish: (event) => `42${JSON.stringify(['publish', event])}`,
};

export const posthasteRealtime: RealtimeContender = {
  name: 'posthaste',
  script: 'posthaste-process.js',
  wire: eventsWire,
};

export const bareLoop: RealtimeContender = {
  name: 'bare ws loop',
  script: 'bare-loop-process.js',
  wire: { ...eventsWire, subprotocols: 'aws-appsync-event-ws' },
};

export const socketIo: RealtimeContender = {
  name: 'socket.io',
  script: 'socket-io-process.js',
  wire: socketIoWire,
};

/** A server that runs, on a core of its own. */
export interface RunningContender extends ServiceProcess {
  readonly contender: RealtimeContender;
  readonly port: number;
}

/** Starts a server and pins it to one core. */
export async function startContender(contender: RealtimeContender): Promise<RunningContender> {
  const script = fileURLToPath(new URL(contender.script, import.meta.url));
  const { ready, ...running } = await startProcess<{ port: number }>(script, []);
  execFileSync('taskset', ['-a', '-p', '-c', serverCore, String(running.pid)]);
  return { ...running, contender, port: ready.port };
}
