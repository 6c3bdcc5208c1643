import { eventTypeOf } from '@posthaste/contracts';
import type { Command } from 'commander';
import { apiClientFrom } from '../api/api-client.js';
import { readPage } from '../api/item-list.js';
import { wholeNumberParser } from '../arguments/option-parsers.js';
import { addOutputOption, type OutputOptions } from '../arguments/output-option.js';
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

interface ListOptions extends LetterFilterOptions, OutputOptions {
  readonly limit: number;
  readonly cursor?: string;
}

const maxLimit = 500;

/** Adds `posthaste events dlq …`: commands that list and replay dead letters. */
export function addDeadLettersCommand(events: Command): void {
  const command = events
    .command('dlq')
    .description('list and replay dead letters: events that a consumer could not handle')
    .addHelpText(
      'after',
      `
A consumer that cannot handle an event of a topic writes it to <topic>.dlq. The dead letter
stays there until POSTHASTE_EVENT_RETENTION is over, also after it was replayed.`,
    );
  addLetterFilter(
    addOutputOption(
      command.command('list [topic]').description('list dead letters, oldest first'),
      'print JSON, with the events',
    ),
  )
    .option('-n, --limit <n>', 'most dead letters to list', wholeNumberParser(1, maxLimit), 20)
    .option('--cursor <cursor>', 'continue at the cursor that the last page printed')
    .action(list);
  addReplayCommands(command);
}

async function list(
  topic: string | undefined,
  { json, output: _, limit, ...filter }: ListOptions,
): Promise<void> {
  const request = { path: '/v1/events/dead-letters', query: { topic, ...filter }, limit };
  const page = await readPage<LetterDetails>(apiClientFrom(process.env), request);
  if (json) return printJson(page);
  printTable(
    ['FAILED', 'TOPIC', 'EVENT', 'KEY', 'GROUP', 'ATTEMPTS', 'REPLAYED', 'ERROR'],
    page.items.map(({ appendedAt, topic: letters, event, key, failure, replayedAt }) => [
      appendedAt,
      failure.topic ?? letters,
      event ? String(eventTypeOf(event)) : '-',
      key ?? '-',
      failure.group ?? '-',
      String(failure.attempts ?? '-'),
      replayedAt ?? '-',
      failure.error ?? '-',
    ]),
  );
  if (!page.isLast) print(`\nmore: --cursor ${page.next}`);
}
