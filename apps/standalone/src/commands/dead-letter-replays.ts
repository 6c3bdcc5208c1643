import type { Command } from 'commander';
import { apiClientFrom } from '../api/api-client.js';
import { type ReplayDetails, summarizeReplay, watchReplay } from '../api/dead-letter-replay.js';
import { readPage } from '../api/item-list.js';
import { wholeNumberParser } from '../arguments/option-parsers.js';
import { addOutputOption, type OutputOptions } from '../arguments/output-option.js';
import { printJson, printResult, printTable } from '../display/output.js';
import { addLetterFilter, type LetterFilterOptions } from './event-filter.js';

interface ReplayOptions extends LetterFilterOptions, OutputOptions {
  readonly rate?: number;
  readonly dryRun?: boolean;
  readonly again?: boolean;
  readonly detach?: boolean;
}

const path = '/v1/events/dead-letters/replays';
const maxRate = 10_000;

/** Adds `posthaste events dlq replay`, and the commands that list and cancel replays. */
export function addReplayCommands(command: Command): void {
  addLetterFilter(
    addOutputOption(
      command
        .command('replay <topic>')
        .description('publish the dead letters of a topic to that topic again, each once'),
    ),
  )
    .option('--rate <n>', 'most events per second (default: 100)', wholeNumberParser(1, maxRate))
    .option('--dry-run', 'only count the dead letters')
    .option('--again', 'also replay those that were replayed before')
    .option('--detach', 'print the id of the replay and do not wait for its end')
    .addHelpText(
      'after',
      `
Every consumer group of the topic gets the events again, in the order in which they failed.
The gateway runs the replay; this command shows its progress. Ctrl-C cancels the replay.

Examples:
  posthaste events dlq replay orders --group mail --dry-run
  posthaste events dlq replay orders --group mail --rate 50`,
    )
    .action(replay);
  addOutputOption(
    command.command('replays').description('list replays of dead letters, newest first'),
  ).action(listReplays);
  addOutputOption(
    command
      .command('cancel <id>')
      .description('cancel a replay; events that it has published stay published'),
  ).action(async (id: string, options: OutputOptions) => {
    const action = `${path}/${encodeURIComponent(id)}/cancel`;
    const ended = await apiClientFrom(process.env).call<ReplayDetails>('POST', action);
    printResult(options, ended, ended.state);
  });
}

async function replay(
  topic: string,
  { rate: ratePerSecond, dryRun, again, detach, json, output: _, ...filter }: ReplayOptions,
): Promise<void> {
  const api = apiClientFrom(process.env);
  const started = await api.call<ReplayDetails>('POST', path, {
    body: { topic, filter, ratePerSecond, dryRun, again },
  });
  if (detach) return printResult({ json }, started, started.id);
  const ended = await watchReplay(api, started);
  printResult({ json }, ended, summarizeReplay(ended));
  if (ended.state !== 'done') process.exitCode = 1;
}

async function listReplays({ json }: OutputOptions): Promise<void> {
  const page = await readPage<ReplayDetails>(apiClientFrom(process.env), { path });
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
