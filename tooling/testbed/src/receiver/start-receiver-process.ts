import { createRequire } from 'node:module';
import { freePort } from '../free-port.js';
import { type RunningProcess, startProcess } from '../process/start-process.js';
import type { ArrivalSummary } from './arrival-ledger.js';
import type { MisbehaviourRates } from './misbehaviour.js';

/** Options of `startReceiverProcess`. */
export interface ReceiverProcessOptions {
  /** Port to listen on. Default: a free one. */
  readonly port?: number;
  /** Seed: the same seed and the same requests give the same responses. Default 1. */
  readonly seed?: number;
  /** Rates of faults; missing ones are 0. Default: everything succeeds. */
  readonly rates?: Partial<MisbehaviourRates>;
  /** File that records every arrival, one JSON object per line. An existing one is continued. */
  readonly journal?: string;
}

/** A receiver that runs in its own process. */
export interface ReceiverProcess {
  readonly url: string;
  /** Its process, for tests that kill or freeze it. */
  readonly process: RunningProcess;
  /** Returns the URL for the n-th callback of a queue, counted from 0. */
  urlFor(queue: string, sequence: number): string;
  /** Returns the counts of arrivals so far. */
  summary(): Promise<ArrivalSummary>;
  /** Sets other rates from now on; missing ones are 0. */
  setRates(rates: Partial<MisbehaviourRates>): Promise<void>;
  close(): Promise<void>;
}

/** Starts a receiver in its own process. It misbehaves at random, and counts what arrives. */
export async function startReceiverProcess(
  options: ReceiverProcessOptions = {},
): Promise<ReceiverProcess> {
  const { port = await freePort(), seed = 1, rates = {}, journal } = options;
  // By its exported name, so that the built file is found from the sources as well.
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
  if (!response.ok)
    throw new Error(`${url} responded with ${response.status}: ${await response.text()}`);
  return response;
}
