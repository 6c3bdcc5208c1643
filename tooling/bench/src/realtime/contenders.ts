import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { ServiceProcess } from '../contender.js';
import { startProcess } from '../service-process.js';

/** Core that servers run on, so that the load runs on the others. */
const serverCore = '0';

/** Moves a process to the core of the servers. */
export function pinToServerCore(pid: number): void {
  execFileSync('taskset', ['-a', '-p', '-c', serverCore, String(pid)]);
}

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

/** Place up to which a subscriber has got everything. */
export interface ResumePlace {
  readonly epoch: string;
  readonly position: string;
}

/** Returns the texts of AppSync Events for a channel. @param resume asks for the extension `resume` */
export function eventsWire(channel: string, resume?: Partial<ResumePlace>): WireTexts {
  const init = { type: 'connection_init', ...(resume && { extensions: ['resume'] }) };
  const id = '6f3c1f0e-5a0e-4c57-9d0e-1d1c7ad1f5a1';
  const place = resume?.epoch === undefined ? {} : { resume };
  const subscribe = { type: 'subscribe', id, channel, authorization, ...place };
  return {
    path: '/event/realtime',
    subprotocols: `aws-appsync-event-ws, header-${credential.toString('base64url')}`,
    steps: [[JSON.stringify(init), JSON.stringify(subscribe)]],
    publish: (event, number) =>
      JSON.stringify({
        type: 'publish',
        id: `p${number}`,
        channel,
        events: [event],
        authorization,
      }),
  };
}

const roomWire = eventsWire('/default/room');

const socketIoWire: WireTexts = {
  path: '/socket.io/?EIO=4&transport=websocket',
  // The server opens, then the client connects and joins.
  steps: [[], ['40'], ['42["join"]']],
  publish: (event) => `42${JSON.stringify(['publish', event])}`,
};

export const posthasteRealtime: RealtimeContender = {
  name: 'posthaste',
  script: 'posthaste-process.js',
  wire: roomWire,
};

export const bareLoop: RealtimeContender = {
  name: 'bare ws loop',
  script: 'bare-loop-process.js',
  wire: { ...roomWire, subprotocols: 'aws-appsync-event-ws' },
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
  pinToServerCore(running.pid);
  return { ...running, contender, port: ready.port };
}
