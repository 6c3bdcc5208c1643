import type { Command } from 'commander';
import { apiClientOf } from '../api/api-client.js';
import { type ReplayDetails, summarizeReplay, watchReplay } from '../api/dead-letter-replay.js';
import { wholeNumber } from '../arguments/whole-number.js';
import { print, printJson, printTable } from '../display/output.js';
import { addLetterFilter, type LetterFilterOptions } from './event-filter.js';

interface ReplayOptions extends LetterFilterOptions {
  readonly rate?: number;
  readonly dryRun?: boolean;
  readonly again?: boolean;
  readonly detach?: boolean;
}

const path = '/v1/events/dead-letters/replays';
const maxRate = 10_000;

/** `posthaste events dlq replay`, and what looks after replays. */
export function addReplayCommands(command: Command): void {
  addLetterFilter(
    command
      .command('replay <topic>')
      .description('publish the dead letters of a topic to it again, each once'),
  )
    .option('--rate <n>', 'a second at most; default 100', wholeNumber(1, maxRate))
    .option('--dry-run', 'only count them')
    .option('--again', 'also those that were replayed before')
    .option('--detach', 'print the id of the replay, and do not wait for its end')
    .addHelpText(
      'after',
      `
Every consumer group of the topic gets them again, in the order in which they failed. The
gateway does it, and shows here how far it is; Ctrl-C stops it.

  posthaste events dlq replay orders --group mail --dry-run
  posthaste events dlq replay orders --group mail --rate 50`,
    )
    .action(replay);
  command
    .command('replays')
    .description('list replays of dead letters, newest first')
    .option('--json', 'as JSON')
    .action(listReplays);
  command
    .command('cancel <id>')
    .description('stop a replay; what it has published stays so')
    .action(async (id: string) => {
      const action = `${path}/${encodeURIComponent(id)}/cancel`;
      print((await apiClientOf(process.env).call<ReplayDetails>('POST', action)).state);
    });
}

async function replay(
  topic: string,
  { rate: ratePerSecond, dryRun, again, detach, ...filter }: ReplayOptions,
): Promise<void> {
  const api = apiClientOf(process.env);
  const started = await api.call<ReplayDetails>('POST', path, {
    body: { topic, filter, ratePerSecond, dryRun, again },
  });
  if (detach) return print(started.id);
  const ended = await watchReplay(api, started);
  print(summarizeReplay(ended));
  if (ended.state !== 'done') process.exitCode = 1;
}

async function listReplays({ json }: { readonly json?: boolean }): Promise<void> {
  const page = await apiClientOf(process.env).call<{ readonly items: readonly ReplayDetails[] }>(
    'GET',
    path,
  );
  if (json) return printJson(page);
  printTable(
    ['ID', 'TOPIC', 'STATE', 'FIT', 'REPLAYED', 'SKIPPED', 'STARTED'],
    page.items.map((each) => [
      each.id,
      each.topic,
      each.dryRun ? `${each.state} (dry run)` : each.state,
      ...[each.matched, each.replayed, each.skipped].map(String),
      each.createdAt,
    ]),
  );
}
