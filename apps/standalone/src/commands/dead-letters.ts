import type { Command } from 'commander';
import { apiClientOf } from '../api/api-client.js';
import { wholeNumber } from '../arguments/whole-number.js';
import type { EventDetails } from '../display/event-description.js';
import { print, printJson, printTable } from '../display/output.js';
import { addReplayCommands } from './dead-letter-replays.js';
import { addLetterFilter, type LetterFilterOptions } from './event-filter.js';

interface LetterDetails extends EventDetails {
  readonly failure: {
    readonly topic: string | null;
    readonly group: string | null;
    readonly error: string | null;
    readonly attempts: number | null;
  };
  readonly replayedAt: string | null;
}

interface LetterPage {
  readonly items: readonly LetterDetails[];
  readonly next: string | null;
  readonly isLast: boolean;
}

interface ListOptions extends LetterFilterOptions {
  readonly limit: number;
  readonly cursor?: string;
  readonly json?: boolean;
}

const maxLimit = 500;

/** `posthaste events dlq …`: what consumers could not handle. */
export function addDeadLettersCommand(events: Command): void {
  const command = events
    .command('dlq')
    .description('list and replay dead letters: events that a consumer could not handle')
    .addHelpText(
      'after',
      `
A consumer that fails on an event of a topic puts it into <topic>.dlq. It stays there until
it is too old, also when it was replayed.`,
    );
  addLetterFilter(command.command('list [topic]').description('list dead letters, oldest first'))
    .option('-n, --limit <n>', 'at most', wholeNumber(1, maxLimit), 20)
    .option('--cursor <cursor>', 'go on where the last page ended')
    .option('--json', 'as JSON, with the events')
    .action(list);
  addReplayCommands(command);
}

async function list(
  topic: string | undefined,
  { json, limit, ...filter }: ListOptions,
): Promise<void> {
  const query = new URLSearchParams({
    limit: String(limit),
    ...(topic === undefined ? {} : { topic }),
    ...filter,
  });
  const path = `/v1/events/dead-letters?${query}`;
  const page = await apiClientOf(process.env).call<LetterPage>('GET', path);
  if (json) return printJson(page);
  printTable(
    ['FAILED', 'TOPIC', 'EVENT', 'KEY', 'GROUP', 'ATTEMPTS', 'REPLAYED', 'ERROR'],
    page.items.map(({ appendedAt, topic: letters, event, key, failure, replayedAt }) => [
      appendedAt,
      failure.topic ?? letters,
      String(event?.name ?? '-'),
      key ?? '-',
      failure.group ?? '-',
      String(failure.attempts ?? '-'),
      replayedAt ?? '-',
      failure.error ?? '-',
    ]),
  );
  if (!page.isLast) print(`\nmore: --cursor ${page.next}`);
}
