import { posthaste } from './posthaste/service.js';
import type { Suite } from './suite.js';
import { createCallbacksSuite } from './suites/callbacks.js';
import { createEventstreamSuite } from './suites/eventstream.js';
import { peersSuite } from './suites/peers.js';

/** Every suite that `npm run bench -- <name>` runs. */
export const suites: readonly Suite[] = [
  createCallbacksSuite(posthaste),
  createEventstreamSuite(),
  peersSuite,
];
