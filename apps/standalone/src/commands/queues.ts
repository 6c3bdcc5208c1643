import { type Command, Option } from 'commander';
import { apiClientFrom, gatewayHelp } from '../api/api-client.js';
import { listItems } from '../api/item-list.js';
import { wholeNumberParser } from '../arguments/option-parsers.js';
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

/** Adds `posthaste queues …`: commands on ordered queues, through a running gateway. */
export function addQueuesCommand(program: Command): void {
  const command = program
    .command('queues')
    .description('list, pause, resume and unblock ordered queues')
    .addHelpText(
      'after',
      `
${gatewayHelp}

A queue delivers its callbacks one after another: the next one starts when the first (the
head) is delivered or has failed for good. A queue is blocked while its head waits for a
retry. It is parked when its head has failed and the queue is configured to stop then.`,
    );
  addList(command);
  for (const [name, done, description] of [
    ['pause', 'paused', 'pause a queue; an attempt under way is finished'],
    ['resume', 'resumed', 'resume a paused queue'],
  ] as const) {
    command
      .command(`${name} <queue>`)
      .description(description)
      .addOption(applicationOption())
      .action(async (queue: string, options: { application: string }) => {
        await apiClientFrom(process.env).call('POST', actionPath(name, queue, options.application));
        print(`${queue} is ${done}`);
      });
  }
  command
    .command('unblock <queue>')
    .description('attempt the head of a blocked or parked queue now')
    .addOption(applicationOption())
    .option('--skip', 'end the head instead and continue with the next callback')
    .action(unblock);
}

function addList(command: Command): void {
  command
    .command('list')
    .description('list queues that have callbacks or settings')
    .option('-a, --application <name>', 'only queues of this application')
    .addOption(new Option('-s, --state <state>', 'only queues in this state').choices(states))
    .option('-n, --limit <n>', 'most queues to list', wholeNumberParser(1, maxLimit), 50)
    .option('--cursor <cursor>', 'continue at the cursor that the last page printed')
    .option('--json', 'print JSON')
    .action(list);
}

async function list({ json, limit, ...filter }: ListOptions): Promise<void> {
  const request = { path: '/v1/queues', query: { ...filter }, limit };
  const page = await listItems<QueueView>(apiClientFrom(process.env), request);
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
  const { headId } = await apiClientFrom(process.env).call<{ headId: string }>(
    'POST',
    actionPath('unblock', queue, application),
    { body: { mode: skip ? 'skip' : 'retry' } },
  );
  print(skip ? `${headId} was skipped` : `${headId} is attempted now`);
}

function applicationOption(): Option {
  return new Option('-a, --application <name>', 'application of the queue').default('', 'none');
}

function actionPath(action: string, queue: string, application: string): string {
  return `/v1/queues/${action}?${new URLSearchParams({ application, queue })}`;
}
