import { posthaste } from './posthaste/service.js';
import type { Suite } from './suite.js';
import { createCallbacksSuite } from './suites/callbacks.js';
import { neighboursSuite } from './suites/neighbours.js';
import { peersSuite } from './suites/peers.js';
import { createRealtimeSuite } from './suites/realtime/realtime.js';
import { createEventstreamSuite } from './suites/streams/eventstream.js';

/** Every suite that `npm run bench -- <name>` runs. */
export const suites: readonly Suite[] = [
  createCallbacksSuite(posthaste),
  createEventstreamSuite(),
  createRealtimeSuite(),
  neighboursSuite,
  peersSuite,
];
