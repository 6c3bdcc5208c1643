import { createRequire } from 'node:module';
import { freePort } from '../free-port.js';
import { type RunningProcess, startProcess } from '../process/start-process.js';
import type { ArrivalSummary } from './arrival-ledger.js';
import type { MisbehaviourRates } from './misbehaviour.js';

export interface ReceiverProcessOptions {
  /** Default: a free one. */
  readonly port?: number;
  /** The same seed and the same requests give the same answers. Default 1. */
  readonly seed?: number;
  /** What is left out is 0. Default: everything succeeds. */
  readonly rates?: Partial<MisbehaviourRates>;
  /** File that keeps every arrival, one JSON object a line; one that exists is continued. */
  readonly journal?: string;
}

export interface ReceiverProcess {
  readonly url: string;
  /** To kill, freeze and end it. */
  readonly process: RunningProcess;
  /** Where the n-th callback of a queue, counted from 0, is to be sent. */
  urlFor(queue: string, sequence: number): string;
  /** What arrived so far. */
  summary(): Promise<ArrivalSummary>;
  /** Behaves differently from now on; what is left out is 0. */
  setRates(rates: Partial<MisbehaviourRates>): Promise<void>;
  close(): Promise<void>;
}

/** Starts a receiver in a process of its own that misbehaves at random and keeps account. */
export async function startReceiverProcess(
  options: ReceiverProcessOptions = {},
): Promise<ReceiverProcess> {
  const { port = await freePort(), seed = 1, rates = {}, journal } = options;
  // By its exported name, so that the built file is found from the sources too.
  const program = createRequire(import.meta.url).resolve('@posthaste/testbed/receiver-process');
  const args = [program, '--port', String(port), '--seed', String(seed)];
  args.push('--rates', JSON.stringify(rates));
  if (journal !== undefined) args.push('--journal', journal);
  const running = await startProcess({ args, ready: /listening on/ });
  const [, url = ''] = await running.waitForLine(/listening on (\S+)/);
  return {
    url,
    process: running,
    urlFor: (queue, sequence) => `${url}/${queue}/${sequence}`,
    summary: async () =>
      (await control(`${url}/_receiver/summary`)).json() as Promise<ArrivalSummary>,
    setRates: async (changed) => {
      const body = JSON.stringify(changed);
      await control(`${url}/_receiver/rates`, { method: 'PUT', body });
    },
    close: () => running.close(),
  };
}

async function control(url: string, init: RequestInit = {}): Promise<Response> {
  const response = await fetch(url, init);
  if (!response.ok) throw new Error(`${url} answered ${response.status}: ${await response.text()}`);
  return response;
}
