import { type Command, Option } from 'commander';
import { apiClientOf } from '../api/api-client.js';
import { listItems } from '../api/item-list.js';
import { wholeNumber } from '../arguments/whole-number.js';
import { print, printJson, printTable } from '../display/output.js';

interface QueueView {
  readonly application: string;
  readonly queue: string;
  readonly state: string;
  readonly depth: number;
  readonly depthCapped: boolean;
  readonly head: { readonly id: string; readonly ageMs: number; readonly failures: number } | null;
}

interface ListOptions {
  readonly application?: string;
  readonly state?: string;
  readonly limit: number;
  readonly cursor?: string;
  readonly json?: boolean;
}

interface UnblockOptions {
  readonly application: string;
  readonly skip?: boolean;
}

const states = ['active', 'paused', 'parked', 'blocked'];
const maxLimit = 100;

/** `posthaste queues …`: looks after ordered queues, on a running gateway. */
export function addQueuesCommand(program: Command): void {
  const command = program
    .command('queues')
    .description('look after ordered queues')
    .addHelpText(
      'after',
      `
The callback at the head of a queue owns it until it is delivered or has failed for good.
A queue is blocked while its head waits for a retry, and parked when its head has failed
and the queue is set to stop then.`,
    );
  addList(command);
  for (const [name, done, description] of [
    ['pause', 'paused', 'deliver nothing more of it; what is under way is finished'],
    ['resume', 'resumed', 'let a paused queue go on'],
  ] as const) {
    command
      .command(`${name} <queue>`)
      .description(description)
      .addOption(applicationOption())
      .action(async (queue: string, options: { application: string }) => {
        await apiClientOf(process.env).call('POST', actionPath(name, queue, options.application));
        print(`${queue} is ${done}`);
      });
  }
  command
    .command('unblock <queue>')
    .description('let a queue go on that its head blocks: attempt the head now')
    .addOption(applicationOption())
    .option('--skip', 'end the head instead, and go on with the next')
    .action(unblock);
}

function addList(command: Command): void {
  command
    .command('list')
    .description('list the queues in which something waits, or that have settings')
    .option('-a, --application <name>', 'only of this application')
    .addOption(new Option('-s, --state <state>', 'only in this state').choices(states))
    .option('-n, --limit <n>', 'at most', wholeNumber(1, maxLimit), 50)
    .option('--cursor <cursor>', 'go on where the last page ended')
    .option('--json', 'as JSON')
    .action(list);
}

async function list({ json, limit, ...filter }: ListOptions): Promise<void> {
  const request = { path: '/v1/queues', query: { ...filter }, limit };
  const page = await listItems<QueueView>(apiClientOf(process.env), request);
  if (json) return printJson(page);
  printTable(
    ['APPLICATION', 'QUEUE', 'STATE', 'DEPTH', 'HEAD', 'HEAD WAITS', 'FAILURES'],
    page.items.map(({ head, ...view }) => [
      view.application || '-',
      view.queue,
      view.state,
      `${view.depth}${view.depthCapped ? '+' : ''}`,
      head?.id ?? '-',
      head ? `${Math.round(head.ageMs / 1_000)} s` : '-',
      head ? String(head.failures) : '-',
    ]),
  );
  if (page.next !== null) print(`\nmore: --cursor ${page.next}`);
}

async function unblock(queue: string, { application, skip }: UnblockOptions): Promise<void> {
  const { headId } = await apiClientOf(process.env).call<{ headId: string }>(
    'POST',
    actionPath('unblock', queue, application),
    { body: { mode: skip ? 'skip' : 'retry' } },
  );
  print(skip ? `${headId} was skipped` : `${headId} is attempted now`);
}

function applicationOption(): Option {
  return new Option('-a, --application <name>', 'whose queue it is').default('', 'none');
}

function actionPath(action: string, queue: string, application: string): string {
  return `/v1/queues/${action}?${new URLSearchParams({ application, queue })}`;
}
