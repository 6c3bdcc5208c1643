import { createInterface } from 'node:readline';
import { PlatformError, parseJsonWithDigits } from '@posthaste/contracts';
import type { Command } from 'commander';
import { apiClientFrom } from '../api/api-client.js';
import { publishLines } from '../api/line-publisher.js';
import { openDataFile, readDataArgument } from '../arguments/data-argument.js';
import { wholeNumberParser } from '../arguments/option-parsers.js';
import { addOutputOption, type OutputOptions } from '../arguments/output-option.js';
import { printResult } from '../display/output.js';
import { formatCount, formatSeconds, ProgressDisplay } from '../display/progress-display.js';

interface PublishOptions extends OutputOptions {
  readonly data?: string;
  readonly lines?: string;
  readonly rate?: number;
  readonly key?: string;
  readonly namespace?: string;
  readonly id?: string;
  readonly user?: string;
  readonly idempotencyKey?: string;
}

const maxRate = 100_000;

/** Adds `posthaste events publish`, which publishes one event, or many from a file. */
export function addPublishCommand(events: Command): void {
  const command: Command = addOutputOption(
    events
      .command('publish <topic> [name]')
      .description('publish an event and print its id, or publish many with --lines'),
    'print the position of the event, or the numbers of events',
  )
    .option(
      '-d, --data <json>',
      'payload; @file reads a file, @- reads standard input (default: {})',
    )
    .option('-k, --key <key>', 'key; events with the same key keep their order (default: the id)')
    .option(
      '-n, --namespace <name>',
      'namespace of the event, such as the name of a service (default: none)',
    )
    .option(
      '--id <id>',
      'id; an event with an id that the topic already has is not published again (default: a new one)',
    )
    .option('--user <id>', 'user who caused the event (default: none)')
    .option('--idempotency-key <key>', 'key under which a repeated command publishes only once')
    .option(
      '--lines <file>',
      'publish one event per line of a file, in JSON; - reads standard input',
    )
    .option(
      '--rate <n>',
      'with --lines: most events per second (default: no limit)',
      wholeNumberParser(1, maxRate),
    )
    .addHelpText(
      'after',
      `
Each line is an event envelope or a CloudEvent; one that names no topic goes to <topic>. The
command reports refused lines, publishes the others, and exits with 1 if any was refused.

Examples:
  posthaste events publish orders order.placed -k order-4711 -d '{"total": 3}'
  posthaste events tail orders --json --no-follow \\
    | posthaste events publish copies --lines - --rate 100`,
    );
  command.action(async (topic: string, name: string | undefined, options: PublishOptions) => {
    if (options.lines !== undefined) return publishMany(topic, options.lines, options);
    if (name === undefined) command.error('error: give the name of the event, or --lines');
    await publish(topic, name, options);
  });
}

async function publish(topic: string, name: string, options: PublishOptions): Promise<void> {
  const { data, key, namespace, id, user, idempotencyKey } = options;
  const payload = data === undefined ? undefined : await readPayload(data);
  const answer = await apiClientFrom(process.env).call<{ id: string }>('POST', '/v1/events', {
    // Left out of the JSON where they are undefined.
    body: { topic, name, key, namespace, id, userId: user, payload },
    ...(idempotencyKey === undefined ? {} : { headers: { 'idempotency-key': idempotencyKey } }),
  });
  printResult(options, answer, answer.id);
}

/** Reads a payload. @throws PlatformError `REQUEST_INVALID` */
async function readPayload(data: string): Promise<unknown> {
  const text = (await readDataArgument(data)).toString();
  try {
    return parseJsonWithDigits(text);
  } catch (cause) {
    throw new PlatformError('REQUEST_INVALID', 'the payload of --data is not JSON', { cause });
  }
}

async function publishMany(
  topic: string,
  file: string,
  { rate: ratePerSecond, idempotencyKey, ...options }: PublishOptions,
): Promise<void> {
  const api = apiClientFrom(process.env);
  const input = await openDataFile(file);
  let progress = { published: 0, refused: 0 };
  const display = new ProgressDisplay(process.stderr, (elapsedMs) =>
    [formatSeconds(elapsedMs), `published ${formatCount(progress.published)}`].join('  '),
  );
  try {
    progress = await publishLines({
      api,
      topic,
      lines: createInterface({ input }),
      ratePerSecond,
      idempotencyKey,
      onRefused: (line, reason) => display.note(`line ${line}: ${reason}`),
      onProgress: (latest) => {
        progress = latest;
      },
    });
  } finally {
    display.close();
  }
  const { published, refused } = progress;
  const line = `published ${formatCount(published)} of ${formatCount(published + refused)}`;
  printResult(options, { published, refused }, line);
  if (refused > 0) process.exitCode = 1;
}
