import { kafkajsStream } from './kafkajs-stream.js';
import { platformaticStream } from './platformatic-stream.js';
import { postgresLogStream } from './postgres-log-stream.js';
import {
  posthastePlatformaticStream,
  posthastePostgresStream,
  posthasteStream,
} from './posthaste-stream.js';
import type { StreamContender } from './stream-contender.js';

/** Our client on each Kafka driver. The first one is the default driver. */
export const ourStreams: readonly StreamContender[] = [
  posthasteStream,
  posthastePlatformaticStream,
];

/** Bare clients that ours is compared with. */
export const streamPeers: readonly StreamContender[] = [kafkajsStream, platformaticStream];

/** Every contender, for the process that runs a task. */
export const streamContenders: readonly StreamContender[] = [
  ...ourStreams,
  ...streamPeers,
  posthastePostgresStream,
  postgresLogStream,
];
