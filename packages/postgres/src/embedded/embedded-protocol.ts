/** What a worker is told at its start. */
export interface EmbeddedWorkerData {
  /** Folder of the Postgres cluster; undefined keeps it in memory. */
  readonly clusterDir: string | undefined;
}

/** To the worker: messages of Postgres's protocol, or an orderly end. */
export type EmbeddedRequest = Uint8Array | 'close';

/** From the worker: once `ready`, then the answer to each request in order. */
export type EmbeddedReply = 'ready' | Uint8Array;
