import { isUtf8 } from 'node:buffer';
import { type Command, Option } from 'commander';
import { apiClientFrom, gatewayHelp } from '../api/api-client.js';
import { listItems } from '../api/item-list.js';
import { readDataArgument } from '../arguments/data-argument.js';
import { addHeader, wholeNumberParser } from '../arguments/option-parsers.js';
import { addOutputOption, type OutputOptions } from '../arguments/output-option.js';
import { type CallbackDetails, describeCallback } from '../display/callback-description.js';
import { print, printJson, printResult, printTable } from '../display/output.js';

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

interface SendOptions extends OutputOptions {
  readonly method?: string;
  readonly data?: string;
  readonly header: Readonly<Record<string, string>>;
  readonly application?: string;
  readonly queue?: string;
  readonly retries?: number;
  readonly delayMs: number;
  readonly timeoutMs?: number;
  readonly secret?: string;
  readonly email?: string;
  readonly idempotencyKey?: string;
}

interface ListOptions extends OutputOptions {
  readonly state?: string;
  readonly application?: string;
  readonly queue?: string;
  readonly host?: string;
  readonly limit: number;
  readonly cursor?: string;
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
];
const maxLimit = 500;
const maxRetries = 100_000;
const maxMs = 10 * 365 * 24 * 3_600_000;

/** Adds `posthaste callbacks …`: commands that send and manage callbacks through a running gateway. */
export function addCallbacksCommand(program: Command): void {
  const command = program
    .command('callbacks')
    .description('send, list, show, retry, replay and cancel callbacks')
    .addHelpText(
      'after',
      `
${gatewayHelp}`,
    );
  addSend(command);
  addList(command);
  addOutputOption(
    command.command('show <id>').description('show a callback with all its attempts'),
  ).action(show);
  for (const [name, description] of [
    ['retry', 'make the next attempt of a callback now, before it is due'],
    ['replay', 'deliver a finished callback again, at the end of its queue'],
    ['cancel', 'end a callback without further attempts'],
  ] as const) {
    addOutputOption(command.command(`${name} <id>`).description(description)).action(
      async (id: string, options: OutputOptions) => {
        const path = `${pathOf(id)}/${name}`;
        const callback = await apiClientFrom(process.env).call<CallbackDetails>('POST', path);
        printResult(options, callback, `${id} is ${callback.state}`);
      },
    );
  }
}

function addSend(command: Command): void {
  addOutputOption(command.command('send <url>').description('send a callback and print its id'))
    .option(
      '-X, --method <method>',
      'GET, POST, PUT, PATCH, DELETE or HEAD (default: POST with --data, else GET)',
    )
    .option(
      '-d, --data <text>',
      'body; @file reads a file, @- reads standard input (default: no body). Without a content-type header it gets application/json if it is JSON, text/plain if it is other text',
    )
    .addOption(
      new Option('-H, --header <name: value>', 'header of the request; may be repeated')
        .argParser(addHeader)
        .default({}, 'none'),
    )
    .option('-a, --application <name>', 'application that owns the callback (default: none)')
    .option('-q, --queue <name>', 'queue in which callbacks are delivered in order (default: none)')
    .option(
      '--retries <n>',
      'attempts after the first (default: none)',
      wholeNumberParser(0, maxRetries),
    )
    .option(
      '--delay-ms <ms>',
      'wait before each retry, in milliseconds',
      wholeNumberParser(0, maxMs),
      5_000,
    )
    .option(
      '--timeout-ms <ms>',
      'longest time of one attempt, in milliseconds (default: POSTHASTE_CALLBACK_TIMEOUT of the gateway)',
      wholeNumberParser(1, maxMs),
    )
    .option(
      '--secret <name>',
      'secret of the application that signs the request (default: unsigned)',
    )
    .option(
      '--email <address>',
      'address for a mail when the callback fails for good (default: no mail)',
    )
    .option(
      '--idempotency-key <key>',
      'key under which a repeated command sends the callback only once',
    )
    .addHelpText(
      'after',
      `
Example:
  posthaste callbacks send https://example.com/hook -d '{"order": 4711}' \\
    --queue order-4711 --retries 5`,
    )
    .action(send);
}

function addList(command: Command): void {
  addOutputOption(command.command('list').description('list callbacks, newest first'))
    .addOption(new Option('-s, --state <state>', 'only callbacks in this state').choices(states))
    .option('-a, --application <name>', 'only callbacks of this application')
    .option('-q, --queue <name>', 'only callbacks of this queue')
    .option('--host <host>', 'only callbacks to this host; host:port for one port of it')
    .option('-n, --limit <n>', 'most callbacks to list', wholeNumberParser(1, maxLimit), 20)
    .option('--cursor <cursor>', 'continue at the cursor that the last page printed')
    .action(list);
}

async function send(url: string, options: SendOptions): Promise<void> {
  const { retries, delayMs, application, queue, timeoutMs, secret } = options;
  const data = options.data === undefined ? undefined : await readDataArgument(options.data);
  const callback = {
    url,
    method: options.method ?? (data === undefined ? 'GET' : 'POST'),
    headers: data === undefined ? options.header : withContentType(options.header, data),
    // Left out of the JSON where they are undefined.
    base64: data?.toString('base64'),
    application,
    queue,
    timeoutMs,
    secret,
    notificationEmail: options.email,
    retry: retries === undefined ? undefined : { phases: [{ retries, delayMs }] },
  };
  const key = options.idempotencyKey;
  const api = apiClientFrom(process.env);
  const accepted = await api.call<{ id: string }>('POST', '/v1/callbacks', {
    body: callback,
    ...(key === undefined ? {} : { headers: { 'idempotency-key': key } }),
  });
  printResult(options, accepted, accepted.id);
}

/** Adds the content type of a body, unless there is one. Bytes that are no text get none. */
function withContentType(
  headers: Readonly<Record<string, string>>,
  body: Buffer,
): Readonly<Record<string, string>> {
  const isGiven = Object.keys(headers).some((name) => name.toLowerCase() === 'content-type');
  if (isGiven || !isUtf8(body)) return headers;
  const type = isJson(body.toString()) ? 'application/json' : 'text/plain; charset=utf-8';
  return { 'content-type': type, ...headers };
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

async function list({ json, output: _, limit, ...filter }: ListOptions): Promise<void> {
  const request = { path: '/v1/callbacks', query: { ...filter }, limit };
  const page = await listItems<CallbackSummary>(apiClientFrom(process.env), request);
  if (json) return printJson(page);
  printTable(
    ['ID', 'STATE', 'LAST', 'APPLICATION', 'QUEUE', 'ACCEPTED', 'REQUEST'],
    page.items.map(({ lastAttempt, ...item }) => [
      item.id,
      item.state,
      String(lastAttempt?.statusCode || (lastAttempt?.reason ?? '-')),
      item.application || '-',
      item.queue ?? '-',
      item.createdAt,
      `${item.method} ${item.url}`,
    ]),
  );
  if (page.next !== null) print(`\nmore: --cursor ${page.next}`);
}

async function show(id: string, { json }: OutputOptions): Promise<void> {
  const callback = await apiClientFrom(process.env).call<CallbackDetails>('GET', pathOf(id));
  if (json) printJson(callback);
  else print(describeCallback(callback, new Date()));
}

function pathOf(id: string): string {
  return `/v1/callbacks/${encodeURIComponent(id)}`;
}
