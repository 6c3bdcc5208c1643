import { type Command, InvalidArgumentError, Option } from 'commander';
import { apiClientFrom, gatewayHelp } from '../api/api-client.js';
import { listItems } from '../api/item-list.js';
import { addHeader, wholeNumberParser } from '../arguments/option-parsers.js';
import { addOutputOption, type OutputOptions } from '../arguments/output-option.js';
import { describeFacts, print, printJson, printResult, printTable } from '../display/output.js';

interface EndpointView {
  readonly id: string;
  readonly application: string;
  readonly name: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly retry: object;
  readonly timeoutMs: number;
  readonly ratePerSecond: number | null;
  readonly maxConcurrency: number | null;
  readonly order: string;
  readonly eventFormat: string;
  readonly notificationEmail: string | null;
  readonly state: string;
  readonly stateReason: string | null;
}

/** Settings as options. What is left out is left out of the JSON too. */
interface SettingOptions extends OutputOptions {
  readonly name?: string;
  readonly url?: string;
  readonly application?: string;
  readonly header?: Readonly<Record<string, string>>;
  readonly policy?: string;
  readonly timeoutMs?: number;
  readonly rate?: number;
  readonly concurrency?: number;
  readonly order?: string;
  readonly eventFormat?: string;
  readonly email?: string;
}

interface ListOptions extends OutputOptions {
  readonly application?: string;
  readonly state?: string;
  readonly limit: number;
  readonly cursor?: string;
}

const path = '/v1/endpoints';
const states = ['active', 'paused', 'disabled'];
/** As in `eventFormats` of @posthaste/callbacks, which would take longer to load than most commands. */
const formats = ['envelope', 'cloudevents-structured', 'cloudevents-binary'];
const maxLimit = 500;

/** Adds `posthaste endpoints …`: commands on endpoints, through a running gateway. */
export function addEndpointsCommand(program: Command): void {
  const command = program
    .command('endpoints')
    .description('create, change, show, list, test and remove endpoints')
    .addHelpText(
      'after',
      `
${gatewayHelp}

An endpoint is a named URL that gets the events of its subscriptions: see posthaste subscriptions.`,
    );
  addSettings(
    command.command('create <name> <url>').description('create an endpoint, and print its secret'),
  )
    .option('-a, --application <name>', 'application that owns it (default: none)')
    .addHelpText(
      'after',
      `
Example:
  posthaste endpoints create shipping https://example.com/events --event-format cloudevents-binary`,
    )
    .action(create);
  addSettings(
    command.command('update <id>').description('change the settings that are given; others stay'),
  )
    .option('--name <name>', 'name of the endpoint')
    .option('--url <url>', 'URL of the endpoint, for further events')
    .action(update);
  addOutputOption(command.command('show <id>').description('show an endpoint')).action(show);
  addList(command);
  addOutputOption(command.command('test <id>').description('send an endpoint a test event')).action(
    test,
  );
  addOutputOption(
    command.command('remove <id>').description('remove an endpoint with its subscriptions'),
  ).action(remove);
}

function addSettings(command: Command): Command {
  return addOutputOption(command)
    .addOption(
      new Option('--event-format <format>', 'form in which it gets events').choices(formats),
    )
    .option(
      '--order <field>',
      'field by which its events are ordered: none, key, namespace, userId or a JSON Pointer',
    )
    .addOption(
      new Option(
        '-H, --header <name: value>',
        'header of every request; may be repeated',
      ).argParser(addHeader),
    )
    .option('--policy <name>', 'stored retry policy')
    .option(
      '--timeout-ms <ms>',
      'longest time of one attempt, in milliseconds',
      wholeNumberParser(1, 1e9),
    )
    .option('--rate <n>', 'most attempts per second in each worker', toRate)
    .option(
      '--concurrency <n>',
      'most attempts at once in each worker',
      wholeNumberParser(1, 10_000),
    )
    .option('--email <address>', 'address for mails about callbacks that fail for good');
}

function addList(command: Command): void {
  addOutputOption(command.command('list').description('list endpoints, newest first'))
    .option('-a, --application <name>', 'only endpoints of this application')
    .addOption(new Option('-s, --state <state>', 'only endpoints in this state').choices(states))
    .option('-n, --limit <n>', 'most endpoints to list', wholeNumberParser(1, maxLimit), 50)
    .option('--cursor <cursor>', 'continue at the cursor that the last page printed')
    .action(list);
}

async function create(name: string, url: string, options: SettingOptions): Promise<void> {
  const body = { ...toSettings(options), name, url };
  const created = await apiClientFrom(process.env).call<{
    readonly endpoint: EndpointView;
    readonly secret: { readonly secret: string };
  }>('POST', path, { body });
  const { endpoint, secret } = created;
  printResult(
    options,
    created,
    describeFacts([
      ['id', endpoint.id],
      ['secret', `${secret.secret} (it cannot be shown again)`],
    ]),
  );
}

async function update(id: string, options: SettingOptions): Promise<void> {
  const body = toSettings(options);
  const endpoint = await apiClientFrom(process.env).call<EndpointView>('PATCH', pathOf(id), {
    body,
  });
  printResult(options, endpoint, describe(endpoint));
}

async function show(id: string, options: OutputOptions): Promise<void> {
  const endpoint = await apiClientFrom(process.env).call<EndpointView>('GET', pathOf(id));
  printResult(options, endpoint, describe(endpoint));
}

async function test(id: string, options: OutputOptions): Promise<void> {
  const answer = await apiClientFrom(process.env).call<{ readonly callbackId: string }>(
    'POST',
    `${pathOf(id)}/test`,
  );
  printResult(options, answer, answer.callbackId);
}

async function remove(id: string, options: OutputOptions): Promise<void> {
  await apiClientFrom(process.env).call('DELETE', pathOf(id));
  printResult(options, { id, removed: true }, `${id} is removed`);
}

async function list({ json, output: _, limit, ...filter }: ListOptions): Promise<void> {
  const request = { path, query: { ...filter }, limit };
  const page = await listItems<EndpointView>(apiClientFrom(process.env), request);
  if (json) return printJson(page);
  printTable(
    ['ID', 'STATE', 'APPLICATION', 'NAME', 'EVENTS', 'ORDER', 'URL'],
    page.items.map((endpoint) => [
      endpoint.id,
      endpoint.state,
      endpoint.application || '-',
      endpoint.name,
      endpoint.eventFormat,
      endpoint.order,
      endpoint.url,
    ]),
  );
  if (page.next !== null) print(`\nmore: --cursor ${page.next}`);
}

function toSettings(options: SettingOptions): object {
  const { name, url, application, timeoutMs, order, eventFormat, policy } = options;
  return {
    ...{ name, url, application, timeoutMs, order, eventFormat },
    headers: options.header,
    ratePerSecond: options.rate,
    maxConcurrency: options.concurrency,
    notificationEmail: options.email,
    retry: policy === undefined ? undefined : { policy },
  };
}

function describe(endpoint: EndpointView): string {
  const { state, stateReason, headers, ratePerSecond, maxConcurrency } = endpoint;
  return describeFacts([
    ['id', endpoint.id],
    ['name', endpoint.name],
    ['application', endpoint.application || null],
    ['url', endpoint.url],
    ['state', stateReason === null ? state : `${state} (${stateReason})`],
    ['event format', endpoint.eventFormat],
    ['order', endpoint.order],
    ...Object.entries(headers).map(([name, value]) => ['header', `${name}: ${value}`] as const),
    ['retry', JSON.stringify(endpoint.retry)],
    ['timeout', `${endpoint.timeoutMs} ms`],
    ['rate', ratePerSecond === null ? null : `${ratePerSecond} per second`],
    ['concurrency', maxConcurrency === null ? null : String(maxConcurrency)],
    ['email', endpoint.notificationEmail],
  ]);
}

function pathOf(id: string): string {
  return `${path}/${encodeURIComponent(id)}`;
}

function toRate(text: string): number {
  const value = Number(text);
  if (/^\d{1,5}(?:\.\d{1,6})?$/.test(text) && value >= 0.01 && value <= 10_000) return value;
  throw new InvalidArgumentError('It must be a number from 0.01 to 10000.');
}
