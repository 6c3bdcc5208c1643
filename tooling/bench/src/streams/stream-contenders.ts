import { kafkajsStream } from './kafkajs-stream.js';
import { platformaticStream } from './platformatic-stream.js';
import { postgresLogStream } from './postgres-log-stream.js';
import { posthastePostgresStream, posthasteStream } from './posthaste-stream.js';
import type { StreamContender } from './stream-contender.js';

/** Bare clients that ours is held against. */
export const streamPeers: readonly StreamContender[] = [kafkajsStream, platformaticStream];

/** Every contender that a process can be started for. */
export const streamContenders: readonly StreamContender[] = [
  posthasteStream,
  ...streamPeers,
  posthastePostgresStream,
  postgresLogStream,
];
