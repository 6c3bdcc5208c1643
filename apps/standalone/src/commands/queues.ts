import { Command, Option } from 'commander';
import { createApiClient } from '../api-client.js';
import { renderTable } from '../table.js';

interface QueueView {
  readonly application: string;
  readonly queue: string;
  readonly state: string;
  readonly depth: number;
  readonly depthIsMinimum?: boolean;
  readonly head: { readonly id: string; readonly acceptedAt: string } | null;
}

interface QueueOptions {
  readonly application: string;
}

/** `posthaste queues …`: looks after ordered queues, on a running gateway. */
export function queuesCommand(): Command {
  const command = new Command('queues').description('look after ordered queues');
  command
    .command('list')
    .description('list the queues that have something to deliver, or settings')
    .option('-a, --application <name>', 'only of this application')
    .option('--json', 'as JSON')
    .action(list);
  const actions = [
    ['pause', 'deliver nothing more of it until it is resumed'],
    ['resume', 'deliver again'],
  ] as const;
  for (const [name, description] of actions) {
    command
      .command(`${name} <queue>`)
      .description(description)
      .option('-a, --application <name>', 'whose queue it is', '')
      .action((queue: string, { application }: QueueOptions) => act(queue, application, name, {}));
  }
  command
    .command('unblock <queue>')
    .description('let a queue go on whose head has failed')
    .option('-a, --application <name>', 'whose queue it is', '')
    .addOption(
      new Option('-m, --mode <mode>', 'attempt the head again, or leave it')
        .choices(['retry', 'skip'])
        .default('retry'),
    )
    .action((queue: string, options: QueueOptions & { mode: string }) =>
      act(queue, options.application, 'unblock', { mode: options.mode }),
    );
  return command;
}

async function list(options: { application?: string; json?: boolean }): Promise<void> {
  const query = new URLSearchParams();
  if (options.application !== undefined) query.set('application', options.application);
  const { items } = await createApiClient(process.env).call<{ items: readonly QueueView[] }>(
    'GET',
    `/v1/queues?${query}`,
  );
  if (options.json) {
    process.stdout.write(`${JSON.stringify(items, null, 2)}\n`);
    return;
  }
  const rows = items.map((view) => [
    view.application || '-',
    view.queue,
    view.state,
    `${view.depth}${view.depthIsMinimum ? '+' : ''}`,
    view.head?.id ?? '-',
    view.head?.acceptedAt ?? '-',
  ]);
  process.stdout.write(
    renderTable(['APPLICATION', 'QUEUE', 'STATE', 'DEPTH', 'HEAD', 'ACCEPTED'], rows),
  );
}

async function act(
  queue: string,
  application: string,
  action: string,
  body: unknown,
): Promise<void> {
  const query = new URLSearchParams({ application, queue });
  await createApiClient(process.env).call('POST', `/v1/queues/${action}?${query}`, body);
  process.stdout.write(`${queue}: ${action} done\n`);
}
