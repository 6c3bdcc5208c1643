import { Command, InvalidArgumentError, Option } from 'commander';
import { type ApiClient, createApiClient } from '../api-client.js';
import { renderTable } from '../table.js';

interface CallbackSummary {
  readonly id: string;
  readonly state: string;
  readonly application: string;
  readonly queue: string | null;
  readonly method: string;
  readonly url: string;
  readonly createdAt: string;
  readonly lastAttempt: { readonly statusCode: number; readonly reason: string | null } | null;
}

interface Page<T> {
  readonly items: readonly T[];
  readonly next: string | null;
}

interface SendOptions {
  readonly method: string;
  readonly data?: string;
  readonly header: Readonly<Record<string, string>>;
  readonly application?: string;
  readonly queue?: string;
  readonly retries?: number;
  readonly delayMs: number;
  readonly secret?: string;
  readonly email?: string;
}

interface ListOptions {
  readonly state?: string;
  readonly application?: string;
  readonly queue?: string;
  readonly limit: number;
  readonly cursor?: string;
  readonly json?: boolean;
}

const states = [
  'waiting',
  'pending',
  'leased',
  'held',
  'delivered',
  'failed',
  'expired',
  'cancelled',
] as const;

/** `posthaste callbacks …`: sends callbacks and looks after them, on a running gateway. */
export function callbacksCommand(): Command {
  const command = new Command('callbacks').description('send callbacks and look after them');
  command
    .command('send <url>')
    .description('hand in a callback; prints its id')
    .option('-X, --method <method>', 'HTTP method', 'POST')
    .option('-d, --data <text>', 'body, sent as it is')
    .option('-H, --header <name: value>', 'a header; may be repeated', addHeader, {})
    .option('-a, --application <name>', 'whose it is')
    .option('-q, --queue <name>', 'ordered with all others of this queue')
    .option('--retries <n>', 'attempts after the first', toCount)
    .option('--delay-ms <ms>', 'wait before each of them', toCount, 5_000)
    .option('--secret <name>', 'secret to sign with')
    .option('--email <address>', 'told when it fails for good')
    .action(send);
  command
    .command('list')
    .description('list callbacks, newest first')
    .addOption(new Option('-s, --state <state>', 'only these').choices(states))
    .option('-a, --application <name>', 'only of this application')
    .option('-q, --queue <name>', 'only of this queue')
    .option('-n, --limit <n>', 'at most', toCount, 20)
    .option('--cursor <cursor>', 'go on where the last page ended')
    .option('--json', 'as JSON')
    .action(list);
  command
    .command('show <id>')
    .description('one callback with all its attempts, as JSON')
    .action(show);
  for (const [name, description] of [
    ['retry', 'attempt it now, instead of at its time'],
    ['replay', 'deliver a finished one again'],
    ['cancel', 'end it without further attempts'],
  ] as const) {
    command
      .command(`${name} <id>`)
      .description(description)
      .action(async (id: string) => {
        const api = createApiClient(process.env);
        await api.call('POST', `${pathOf(id)}/${name}`);
        print((await api.call<CallbackSummary>('GET', pathOf(id))).state);
      });
  }
  return command;
}

async function send(url: string, options: SendOptions): Promise<void> {
  const { method, header: headers, data: text, retries, delayMs } = options;
  const { id } = await createApiClient(process.env).call<{ id: string }>('POST', '/v1/callbacks', {
    url,
    method,
    headers,
    ...(text === undefined ? {} : { text }),
    ...(options.application === undefined ? {} : { application: options.application }),
    ...(options.queue === undefined ? {} : { queue: options.queue }),
    ...(retries === undefined ? {} : { retry: { phases: [{ retries, delayMs }] } }),
    ...(options.secret === undefined ? {} : { secret: options.secret }),
    ...(options.email === undefined ? {} : { notificationEmail: options.email }),
  });
  print(id);
}

async function list(options: ListOptions): Promise<void> {
  const query = new URLSearchParams({ limit: String(options.limit) });
  for (const key of ['state', 'application', 'queue', 'cursor'] as const) {
    const value = options[key];
    if (value !== undefined) query.set(key, value);
  }
  const page = await listPage(createApiClient(process.env), query);
  if (options.json) return print(JSON.stringify(page, null, 2));
  const rows = page.items.map((item) => [
    item.id,
    item.state,
    String(item.lastAttempt?.reason ?? item.lastAttempt?.statusCode ?? '-'),
    item.queue ?? '-',
    item.createdAt,
    `${item.method} ${item.url}`,
  ]);
  process.stdout.write(renderTable(['ID', 'STATE', 'LAST', 'QUEUE', 'ACCEPTED', 'REQUEST'], rows));
  if (page.next !== null) print(`\nmore: --cursor ${page.next}`);
}

function listPage(api: ApiClient, query: URLSearchParams): Promise<Page<CallbackSummary>> {
  return api.call('GET', `/v1/callbacks?${query}`);
}

async function show(id: string): Promise<void> {
  print(JSON.stringify(await createApiClient(process.env).call('GET', pathOf(id)), null, 2));
}

function pathOf(id: string): string {
  return `/v1/callbacks/${encodeURIComponent(id)}`;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

function addHeader(
  text: string,
  headers: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  const colon = text.indexOf(':');
  if (colon < 1) throw new InvalidArgumentError('Write it as "name: value".');
  return { ...headers, [text.slice(0, colon).trim()]: text.slice(colon + 1).trim() };
}

function toCount(text: string): number {
  if (/^\d{1,12}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('It must be a whole number.');
}
