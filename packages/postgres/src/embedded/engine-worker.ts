/**
 * Program of the worker thread: PGlite, and a port that carries Postgres's protocol to it and back.
 * PGlite works synchronously. In a thread of its own, a long statement delays only other statements.
 */
import { existsSync, openAsBlob } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parentPort, workerData } from 'node:worker_threads';
import { PGlite } from '@electric-sql/pglite';
import type { EngineReply, EngineRequest, EngineWorkerData } from './engine.js';

const port = parentPort;
if (port === null) throw new Error('engine-worker must run in a worker thread');

const { clusterDir } = workerData as EngineWorkerData;
/** Last lines of the engine's log. They explain a failed start. */
const log: string[] = [];
const keepLog = (line: string): boolean => {
  log.push(line);
  if (log.length > 5) log.shift();
  return false;
};

const engine = await PGlite.create({
  onStderr: keepLog,
  ...(clusterDir === undefined ? {} : { dataDir: clusterDir }),
  ...(await template()),
}).catch((error: unknown) => {
  throw new Error([String(error), ...log].join('\n'), { cause: error });
});

let queue = Promise.resolve();
port.on('message', (request: EngineRequest) => {
  queue = queue.then(() => (request === 'close' ? close() : execute(request)));
});
reply('ready');

/** Returns the template that a new cluster is copied from: a tenth of the time of creating one. */
async function template(): Promise<{ loadDataDir?: Blob }> {
  if (clusterDir !== undefined && existsSync(join(clusterDir, 'PG_VERSION'))) return {};
  const path = fileURLToPath(new URL('../../dist/cluster-template.tgz', import.meta.url));
  // The template is missing if only the compiler ran, and not the build.
  return existsSync(path) ? { loadDataDir: await openAsBlob(path) } : {};
}

async function execute(messages: Uint8Array): Promise<void> {
  const chunks: Uint8Array[] = [];
  await engine.execProtocolRawStream(messages, {
    // A copy, because the bytes are a view of memory that the engine reuses.
    onRawData: (bytes) => chunks.push(bytes.slice()),
  });
  const [first, ...more] = chunks;
  reply(first && more.length === 0 ? first : concat(chunks));
}

async function close(): Promise<void> {
  await engine.close();
  port?.close();
}

function concat(chunks: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(chunks.reduce((size, chunk) => size + chunk.byteLength, 0));
  let offset = 0;
  for (const chunk of chunks) {
    whole.set(chunk, offset);
    offset += chunk.byteLength;
  }
  return whole;
}

function reply(message: EngineReply): void {
  port?.postMessage(message, message === 'ready' ? [] : [message.buffer as ArrayBuffer]);
}
