import { kafkajsStream } from './kafkajs-stream.js';
import { platformaticStream } from './platformatic-stream.js';
import { postgresLogStream } from './postgres-log-stream.js';
import {
  posthastePlatformaticStream,
  posthastePostgresStream,
  posthasteStream,
} from './posthaste-stream.js';
import type { StreamContender } from './stream-contender.js';

/** Our client on each driver for Kafka; the first is the one that is meant by default. */
export const streamsOfOurs: readonly StreamContender[] = [
  posthasteStream,
  posthastePlatformaticStream,
];

/** Bare clients that ours is held against. */
export const streamPeers: readonly StreamContender[] = [kafkajsStream, platformaticStream];

/** Every contender that a process can be started for. */
export const streamContenders: readonly StreamContender[] = [
  ...streamsOfOurs,
  ...streamPeers,
  posthastePostgresStream,
  postgresLogStream,
];
