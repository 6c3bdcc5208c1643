import type { Command } from 'commander';
import { apiClientFrom, gatewayHelp } from '../../api/api-client.js';
import { listItems } from '../../api/item-list.js';
import { wholeNumberParser } from '../../arguments/option-parsers.js';
import { addOutputOption, type OutputOptions } from '../../arguments/output-option.js';
import { print, printJson, printTable } from '../../display/output.js';

interface ChannelView {
  readonly channel: string;
  readonly subscribers: number;
  readonly topic: string | null;
}

interface ListOptions extends OutputOptions {
  readonly application?: string;
  readonly prefix?: string;
  readonly limit: number;
  readonly cursor?: string;
}

const maxLimit = 500;

/** Adds `posthaste realtime channels`, which lists channels in use and those of the platform. */
export function addChannelsCommand(realtime: Command): void {
  addOutputOption(
    realtime
      .command('channels')
      .description('list channels that somebody is subscribed to, and those of the platform'),
  )
    .option('-a, --application <name>', 'application of the channels (default: that of the key)')
    .option('--prefix <path>', 'only channels whose path begins with this text')
    .option('-n, --limit <n>', 'most channels to list', wholeNumberParser(1, maxLimit), 50)
    .option('--cursor <cursor>', 'continue at the cursor that the last page printed')
    .addHelpText(
      'after',
      `
${gatewayHelp}

Counts are those of all gateways, at most a few seconds old. TOPIC is the name of the topic whose
events the platform mirrors on the channel: a name that a path cannot have is x- and 32 digits there.

Examples:
  posthaste realtime channels --prefix /chat/
  posthaste realtime channels --prefix /posthaste/ --json`,
    )
    .action(list);
}

async function list({ json, output: _, limit, ...query }: ListOptions): Promise<void> {
  const request = { path: '/v1/realtime/channels', query: { ...query }, limit };
  const page = await listItems<ChannelView>(apiClientFrom(process.env), request);
  if (json) return printJson(page);
  printTable(
    ['CHANNEL', 'SUBSCRIBERS', 'TOPIC'],
    page.items.map(({ channel, subscribers, topic }) => [
      channel,
      String(subscribers),
      topic ?? '-',
    ]),
  );
  if (page.next !== null) print(`\nmore: --cursor ${page.next}`);
}
