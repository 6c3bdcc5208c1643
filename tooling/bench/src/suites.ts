import type { Suite } from './suite.js';
import { peersSuite } from './suites/peers.js';

/** Every suite that `npm run bench -- <name>` runs. */
export const suites: readonly Suite[] = [peersSuite];
