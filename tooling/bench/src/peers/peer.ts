import { fileURLToPath } from 'node:url';
import type { Contender, Seed } from '../contender.js';
import { startProcess } from '../service-process.js';

/** Job that a peer stores for each POST. */
export interface PostJob {
  readonly url: string;
  readonly body: string;
}

/** Settings of a peer by name. */
export type PeerSettings = Readonly<Record<string, number | boolean>>;

/** A job queue whose jobs do what a callback does: one POST. */
export interface Peer {
  readonly name: string;
  readonly store: 'postgres' | 'redis';
  /** Settings that `bench -- peers` tries. The first are the best, and are used everywhere else. */
  readonly candidates: readonly [PeerSettings, ...PeerSettings[]];
  /** Creates its tables in an empty store. */
  prepare(storeUrl: string): Promise<void>;
  /** Adds `count` jobs. */
  add(storeUrl: string, count: number, job: PostJob): Promise<void>;
  /** Runs `post` for every job, in this process, until the returned function is called. */
  work(
    storeUrl: string,
    settings: PeerSettings,
    post: (job: PostJob) => Promise<void>,
  ): Promise<() => Promise<void>>;
}

const workerScript = fileURLToPath(new URL('worker-process.js', import.meta.url));

/** Returns the contender of a peer. Its worker runs in a separate process. */
export function toContender(
  peer: Peer,
  body: string,
  settings: PeerSettings = peer.candidates[0],
): Contender {
  return {
    name: peer.name,
    store: peer.store,
    settings,
    prepare: (storeUrl) => peer.prepare(storeUrl),
    async seed(storeUrl: string, seed: Seed) {
      if (seed.kind !== 'ready')
        throw new Error(`${peer.name} does not support seeds of kind ${seed.kind}`);
      await peer.add(storeUrl, seed.count, { url: seed.url, body });
    },
    startWorker: (storeUrl) =>
      startProcess(workerScript, [peer.name, storeUrl, JSON.stringify(settings)]),
  };
}
