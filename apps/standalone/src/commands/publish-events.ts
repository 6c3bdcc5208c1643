import { createInterface } from 'node:readline';
import { PlatformError, parseJsonWithBigints } from '@posthaste/contracts';
import type { Command } from 'commander';
import { apiClientOf } from '../api/api-client.js';
import { publishLines } from '../api/line-publisher.js';
import { openDataFile, readDataArgument } from '../arguments/data-argument.js';
import { wholeNumber } from '../arguments/whole-number.js';
import { print } from '../display/output.js';
import { count, ProgressDisplay, seconds } from '../display/progress-display.js';

interface PublishOptions {
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

/** `posthaste events publish`: one event, or many from a file. */
export function addPublishCommand(command: Command): void {
  command
    .command('publish <topic> [name]')
    .description('publish an event, and print its id')
    .option('-d, --data <json>', 'the payload; @file is the content of a file, @- standard input')
    .option('-k, --key <key>', 'events of one key keep their order; default the id')
    .option('-n, --namespace <name>', 'whose event it is')
    .option('--id <id>', 'what comes again under it in the topic is not published again')
    .option('--user <id>', 'who did it')
    .option('--idempotency-key <key>', 'makes it safe to send the same command again')
    .option('--lines <file>', 'many events instead: one in JSON on each line; - is standard input')
    .option('--rate <n>', 'with --lines: events a second at most', wholeNumber(1, maxRate))
    .addHelpText(
      'after',
      `
Lines are envelopes or CloudEvents; those that name no topic go to <topic>. Refused ones
are told, and the others are published.

  posthaste events publish orders order.placed -k order-4711 -d '{"total": 3}'
  posthaste events tail orders --json --no-follow \\
    | posthaste events publish copies --lines - --rate 100`,
    )
    .action(publish);
}

async function publish(
  topic: string,
  name: string | undefined,
  options: PublishOptions,
  command: Command,
): Promise<void> {
  if (options.lines !== undefined) return publishMany(topic, options.lines, options);
  if (name === undefined) command.error('error: name the event, or give --lines');
  const { data, key, namespace, id, user, idempotencyKey } = options;
  const payload = data === undefined ? undefined : await readPayload(data);
  const answer = await apiClientOf(process.env).call<{ id: string }>('POST', '/v1/events', {
    // Left out of the JSON where they are undefined.
    body: { topic, name, key, namespace, id, userId: user, payload },
    ...(idempotencyKey === undefined ? {} : { headers: { 'idempotency-key': idempotencyKey } }),
  });
  print(answer.id);
}

/** @throws PlatformError `REQUEST_INVALID` */
async function readPayload(data: string): Promise<unknown> {
  const text = (await readDataArgument(data)).toString();
  try {
    return parseJsonWithBigints(text);
  } catch (cause) {
    throw new PlatformError('REQUEST_INVALID', 'the payload is not JSON', { cause });
  }
}

async function publishMany(
  topic: string,
  file: string,
  { rate: ratePerSecond, idempotencyKey }: PublishOptions,
): Promise<void> {
  const api = apiClientOf(process.env);
  const input = await openDataFile(file);
  let progress = { published: 0, refused: 0 };
  const display = new ProgressDisplay(process.stderr, (elapsedMs) =>
    [seconds(elapsedMs), `published ${count(progress.published)}`].join('  '),
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
  print(`published ${count(published)} of ${count(published + refused)}`);
  if (refused > 0) process.exitCode = 1;
}
