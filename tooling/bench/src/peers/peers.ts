import { bullmq } from './bullmq.js';
import { graphileWorker } from './graphile-worker.js';
import type { Peer } from './peer.js';
import { pgBoss } from './pg-boss.js';
import { undiciAlone } from './undici-alone.js';

/** All peers, in the order of the report. The last one is the upper limit. */
export const peers: readonly Peer[] = [graphileWorker, pgBoss, bullmq, undiciAlone];
