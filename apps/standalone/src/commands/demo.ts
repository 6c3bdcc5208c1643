import { type Command, Option } from 'commander';
import { apiClientOf } from '../api/api-client.js';
import { wholeNumber } from '../arguments/whole-number.js';
import type { DemoOptions } from '../demo/demo.js';

interface DemoArguments {
  readonly callbacks: number;
  readonly queues: number;
  readonly seed: number;
  readonly kill?: boolean;
  readonly url?: string;
}

const maxCallbacks = 1_000_000;

/** `posthaste demo`: a receiver that fails, hangs and recovers, and the proof that order holds. */
export function addDemoCommand(program: Command): void {
  program
    .command('demo')
    .description('watch callbacks being delivered in order to a receiver that misbehaves')
    .option('-c, --callbacks <n>', 'how many are posted', wholeNumber(1, maxCallbacks), 1_000)
    .option('-q, --queues <n>', 'over how many ordered queues', wholeNumber(1, maxCallbacks), 50)
    .option(
      '--seed <n>',
      'the same seed makes the receiver misbehave alike',
      wholeNumber(1, 2 ** 31),
      1,
    )
    .option('--kill', 'kill Posthaste with SIGKILL in the middle, and start it again')
    .addOption(
      new Option('--url <url>', 'use a running Posthaste, with POSTHASTE_API_KEY').conflicts(
        'kill',
      ),
    )
    .addHelpText(
      'after',
      `
Starts a receiver that fails, hangs and recovers, and a Posthaste of its own on a
temporary folder; nothing of it is left behind. Takes about 15 seconds. Ends with 0
when every queue arrived in order and nothing was lost, with 1 when not.

  posthaste demo --kill
  posthaste demo --callbacks 5000 --queues 500`,
    )
    .action(demo);
}

async function demo({ url, ...rest }: DemoArguments, command: Command): Promise<void> {
  if (rest.queues > rest.callbacks) {
    command.error('error: there are more --queues than --callbacks');
  }
  const { runDemo } = await import('../demo/demo.js');
  const options: DemoOptions =
    url === undefined
      ? rest
      : { ...rest, running: apiClientOf({ ...process.env, POSTHASTE_URL: url }) };
  const stop = new AbortController();
  const onSignal = (): void => stop.abort();
  process.once('SIGINT', onSignal).once('SIGTERM', onSignal);
  try {
    if (!(await runDemo(options, process.stdout, stop.signal))) process.exitCode = 1;
  } catch (error) {
    if (!stop.signal.aborted) throw error;
    process.exitCode = 130;
  } finally {
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
  }
}
