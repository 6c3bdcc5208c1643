import { setTimeout as sleep } from 'node:timers/promises';
import { formatCount, formatSeconds, ProgressDisplay } from '../display/progress-display.js';
import type { ApiClient } from './api-client.js';

/** Replay of dead letters, as the gateway answers. */
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

/** Pause between two queries for the progress, in ms. */
const pollMs = 250;

/**
 * Shows the progress of a replay on standard error, and returns the replay when it has ended. SIGINT
 * and SIGTERM cancel it.
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
      await sleep(pollMs, undefined, { signal: stop.signal }).catch(() => undefined);
      latest = stop.signal.aborted
        ? await api.call<ReplayDetails>('POST', `${path}/cancel`)
        : await api.call<ReplayDetails>('GET', path);
    }
    return latest;
  } finally {
    display.close();
  }
}

/** Describes the result of a replay in one line. */
export function summarizeReplay(replay: ReplayDetails): string {
  const { topic, state, dryRun, matched, replayed, skipped, error } = replay;
  const done = dryRun
    ? `${formatCount(matched - skipped)} of ${formatCount(matched)} dead letters of ${topic} would be replayed`
    : `replayed ${formatCount(replayed)} of ${formatCount(matched)} dead letters of ${topic}`;
  const left =
    skipped > 0
      ? `; ${formatCount(skipped)} skipped: replayed before, or without a topic of origin`
      : '';
  const end = { running: '', done: '', cancelled: '; stopped', failed: `; failed: ${error}` };
  return done + left + end[state];
}

function render({ matched, replayed, skipped }: ReplayDetails, elapsedMs: number): string {
  return [
    formatSeconds(elapsedMs),
    `found ${formatCount(matched)}`,
    `replayed ${formatCount(replayed)}`,
    `skipped ${formatCount(skipped)}`,
  ].join('  ');
}
