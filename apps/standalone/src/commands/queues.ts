import { type Command, Option } from 'commander';
import { apiClientFrom, gatewayHelp } from '../api/api-client.js';
import { listItems } from '../api/item-list.js';
import { wholeNumberParser } from '../arguments/option-parsers.js';
import { addOutputOption, type OutputOptions } from '../arguments/output-option.js';
import { print, printJson, printResult, printTable } from '../display/output.js';

interface QueueView {
  readonly application: string;
  readonly queue: string;
  readonly state: string;
  readonly depth: number;
  readonly depthCapped: boolean;
  readonly head: { readonly id: string; readonly ageMs: number; readonly failures: number } | null;
}

interface ListOptions extends OutputOptions {
  readonly application?: string;
  readonly state?: string;
  readonly limit: number;
  readonly cursor?: string;
}

interface QueueOptions extends OutputOptions {
  readonly application: string;
}

interface PauseOptions extends QueueOptions {
  readonly create?: boolean;
}

interface UnblockOptions extends QueueOptions {
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
  addQueueCommand(command, 'pause <queue>', 'pause a queue; an attempt under way is finished')
    .option('--create', 'pause also a queue that has no callbacks yet')
    .action((queue: string, options: PauseOptions) => changePause('pause', queue, options));
  addQueueCommand(command, 'resume <queue>', 'resume a paused queue').action(
    (queue: string, options: QueueOptions) => changePause('resume', queue, options),
  );
  addQueueCommand(command, 'unblock <queue>', 'attempt the head of a blocked or parked queue now')
    .option('--skip', 'end the head instead and continue with the next callback')
    .action(unblock);
}

function addQueueCommand(command: Command, usage: string, description: string): Command {
  return addOutputOption(command.command(usage).description(description)).addOption(
    new Option('-a, --application <name>', 'application of the queue').default('', 'none'),
  );
}

function addList(command: Command): void {
  addOutputOption(
    command.command('list').description('list queues that have callbacks or settings'),
  )
    .option('-a, --application <name>', 'only queues of this application')
    .addOption(new Option('-s, --state <state>', 'only queues in this state').choices(states))
    .option('-n, --limit <n>', 'most queues to list', wholeNumberParser(1, maxLimit), 50)
    .option('--cursor <cursor>', 'continue at the cursor that the last page printed')
    .action(list);
}

async function list({ json, output: _, limit, ...filter }: ListOptions): Promise<void> {
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

/** Pauses or resumes a queue. One that does not exist is refused: its name is probably wrong. */
async function changePause(
  action: 'pause' | 'resume',
  queue: string,
  { application, create, ...options }: PauseOptions,
): Promise<void> {
  const query = { application, queue, ...(create ? {} : { mustExist: 'true' }) };
  await apiClientFrom(process.env).call('POST', actionPath(action, query));
  const paused = action === 'pause';
  const done = paused ? 'paused' : 'resumed';
  printResult(options, { application, queue, paused }, `${queue} is ${done}`);
}

async function unblock(
  queue: string,
  { application, skip, ...options }: UnblockOptions,
): Promise<void> {
  const { headId } = await apiClientFrom(process.env).call<{ headId: string }>(
    'POST',
    actionPath('unblock', { application, queue }),
    { body: { mode: skip ? 'skip' : 'retry' } },
  );
  const line = skip ? `${headId} was skipped` : `${headId} is attempted now`;
  printResult(options, { headId }, line);
}

function actionPath(action: string, query: Readonly<Record<string, string>>): string {
  return `/v1/queues/${action}?${new URLSearchParams(query)}`;
}
