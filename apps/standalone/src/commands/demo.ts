import { type Command, Option } from 'commander';
import { apiClientFrom } from '../api/api-client.js';
import { wholeNumberParser } from '../arguments/option-parsers.js';
import { addOutputOption, type OutputOptions } from '../arguments/output-option.js';
import type { DemoOptions } from '../demo/demo.js';
import { printJson } from '../display/output.js';

interface DemoArguments extends OutputOptions {
  readonly callbacks: number;
  readonly queues: number;
  readonly seed: number;
  readonly kill?: boolean;
  readonly url?: string;
}

const maxCallbacks = 1_000_000;

/** Adds `posthaste demo`: delivers callbacks to a receiver that misbehaves, and proves their order. */
export function addDemoCommand(program: Command): void {
  addOutputOption(
    program
      .command('demo')
      .description('deliver callbacks to a receiver that misbehaves, and prove that order holds'),
    'print the result, and the progress to standard error',
  )
    .option(
      '-c, --callbacks <n>',
      'number of callbacks to send',
      wholeNumberParser(1, maxCallbacks),
      1_000,
    )
    .option('-q, --queues <n>', 'number of ordered queues', wholeNumberParser(1, maxCallbacks), 50)
    .option(
      '--seed <n>',
      'seed of the random faults of the receiver',
      wholeNumberParser(1, 2 ** 31),
      1,
    )
    .option('--kill', 'kill Posthaste with SIGKILL in the middle and start it again')
    .addOption(
      new Option(
        '--url <url>',
        'use the Posthaste that runs at this URL, with POSTHASTE_API_KEY (default: start one)',
      ).conflicts('kill'),
    )
    .addHelpText(
      'after',
      `
Starts a receiver that fails, hangs and recovers, and a Posthaste of its own in a temporary
folder, which is removed at the end. Takes about 15 seconds. Exits with 0 if every queue
arrived in order and nothing was lost, else with 1.

Examples:
  posthaste demo --kill
  posthaste demo --callbacks 5000 --queues 500`,
    )
    .action(demo);
}

async function demo(
  { url, json, output: _, ...rest }: DemoArguments,
  command: Command,
): Promise<void> {
  if (rest.queues > rest.callbacks) {
    command.error('error: there are more --queues than --callbacks');
  }
  const { runDemo } = await import('../demo/demo.js');
  const options: DemoOptions =
    url === undefined
      ? rest
      : { ...rest, running: apiClientFrom({ ...process.env, POSTHASTE_URL: url }) };
  const stop = new AbortController();
  const onSignal = (): void => stop.abort();
  process.once('SIGINT', onSignal).once('SIGTERM', onSignal);
  try {
    const proved = await runDemo(options, json ? process.stderr : process.stdout, stop.signal);
    if (json) printJson({ callbacks: rest.callbacks, queues: rest.queues, proved });
    if (!proved) process.exitCode = 1;
  } catch (error) {
    if (!stop.signal.aborted) throw error;
    process.exitCode = 130;
  } finally {
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
  }
}
