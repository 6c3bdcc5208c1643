import { setTimeout as sleep } from 'node:timers/promises';
import { count, ProgressDisplay, seconds } from '../display/progress-display.js';
import type { ApiClient } from './api-client.js';

/** A replay of dead letters, as the gateway answers. */
export interface ReplayDetails {
  readonly id: string;
  readonly topic: string;
  readonly dryRun: boolean;
  readonly state: 'running' | 'done' | 'cancelled' | 'failed';
  readonly error: string | null;
  readonly matched: number;
  readonly replayed: number;
  readonly skipped: number;
  readonly createdAt: string;
}

const everyMs = 250;

/**
 * Shows on standard error how far the replay is, and gives it once it has ended. SIGINT and SIGTERM
 * stop it.
 * @throws PlatformError what the gateway answers
 */
export async function watchReplay(api: ApiClient, started: ReplayDetails): Promise<ReplayDetails> {
  const path = `/v1/events/dead-letters/replays/${started.id}`;
  let latest = started;
  const display = new ProgressDisplay(process.stderr, (elapsedMs) => render(latest, elapsedMs));
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());
  try {
    while (latest.state === 'running') {
      await sleep(everyMs, undefined, { signal: stop.signal }).catch(() => undefined);
      latest = stop.signal.aborted
        ? await api.call<ReplayDetails>('POST', `${path}/cancel`)
        : await api.call<ReplayDetails>('GET', path);
    }
    return latest;
  } finally {
    display.close();
  }
}

/** How a replay ended, in one line. */
export function summarizeReplay(replay: ReplayDetails): string {
  const { topic, state, dryRun, matched, replayed, skipped, error } = replay;
  const done = dryRun
    ? `${count(matched - skipped)} of ${count(matched)} dead letters of ${topic} would be replayed`
    : `replayed ${count(replayed)} of ${count(matched)} dead letters of ${topic}`;
  const left = skipped > 0 ? `; ${count(skipped)} were replayed before or are of no topic` : '';
  const end = { running: '', done: '', cancelled: '; stopped', failed: `; failed: ${error}` };
  return done + left + end[state];
}

function render({ matched, replayed, skipped }: ReplayDetails, elapsedMs: number): string {
  return [
    seconds(elapsedMs),
    `found ${count(matched)}`,
    `replayed ${count(replayed)}`,
    `skipped ${count(skipped)}`,
  ].join('  ');
}
