import { PlatformError } from '@posthaste/contracts';
import { type Command, Option } from 'commander';
import { apiClientFrom, gatewayHelp } from '../../api/api-client.js';
import { listItems } from '../../api/item-list.js';
import { readDataArgument } from '../../arguments/data-argument.js';
import { wholeNumberParser } from '../../arguments/option-parsers.js';
import { addOutputOption, type OutputOptions } from '../../arguments/output-option.js';
import { print, printJson, printResult, printTable } from '../../display/output.js';

interface NamespaceView {
  readonly application: string | null;
  readonly name: string;
  readonly publishAuthModes: readonly string[] | null;
  readonly subscribeAuthModes: readonly string[] | null;
  readonly history: number;
  readonly durable: boolean;
  readonly forwardTo: { readonly topic: string; readonly name: string } | null;
  readonly definedBy: string;
}

interface OwnerOptions extends OutputOptions {
  readonly application?: string;
}

interface ListOptions extends OwnerOptions {
  readonly limit: number;
  readonly cursor?: string;
}

interface CreateOptions extends OwnerOptions {
  readonly publishModes?: readonly string[];
  readonly subscribeModes?: readonly string[];
  readonly history?: number;
  readonly maxEventBytes?: number;
  readonly durable: boolean;
  readonly schema?: string;
  readonly forwardTopic?: string;
  readonly forwardName?: string;
  readonly ownChannels?: string;
}

const path = '/v1/namespaces';
const maxLimit = 500;
/** As in @posthaste/appsync-server, which would take longer to load than this command. */
const authModes = [
  'API_KEY',
  'AMAZON_COGNITO_USER_POOLS',
  'OPENID_CONNECT',
  'AWS_LAMBDA',
  'AWS_IAM',
];

/** Adds `posthaste realtime namespaces …`: commands on namespaces, through a running gateway. */
export function addNamespacesCommand(realtime: Command): void {
  const command = realtime
    .command('namespaces')
    .description('list, create and delete namespaces of channels')
    .addHelpText(
      'after',
      `
${gatewayHelp}

A namespace is the first segment of its channels: /chat/room is a channel of chat. It belongs to an
application, or all share it. Those of the file of a gateway are listed, and changed in the file only.`,
    );
  addOutputOption(command.command('list').description('list namespaces'))
    .option('-a, --application <name>', 'only those of this application, and the shared ones')
    .option('-n, --limit <n>', 'most namespaces to list', wholeNumberParser(1, maxLimit), 50)
    .option('--cursor <cursor>', 'continue at the cursor that the last page printed')
    .action(list);
  addCreate(command);
  addOutputOption(
    command
      .command('delete <name>')
      .description('delete a namespace, which ends the subscriptions of its channels'),
  )
    .option('-a, --application <name>', 'application that it belongs to (default: that of the key)')
    .action(remove);
}

function addCreate(command: Command): void {
  addOutputOption(command.command('create <name>').description('create a namespace'))
    .option(
      '-a, --application <name>',
      'application that it belongs to (default: that of the key; for a key for all, all share it)',
    )
    .addOption(
      new Option('--publish-modes <modes...>', 'credentials that may publish').choices(authModes),
    )
    .addOption(
      new Option('--subscribe-modes <modes...>', 'credentials that may subscribe').choices(
        authModes,
      ),
    )
    .option(
      '--history <n>',
      'events that a subscriber gets after a reconnect',
      wholeNumberParser(0, 10_000),
    )
    .option('--max-event-bytes <n>', 'largest event', wholeNumberParser(1, 1_048_576))
    .option('--no-durable', 'send events at once, and do not store them')
    .option('--schema <json>', 'JSON Schema that events must fit; @file reads a file')
    .option('--forward-topic <topic>', 'topic that events are appended to, too')
    .option('--forward-name <name>', 'name of the events there')
    .option('--own-channels <pattern>', 'channels that each user may use, such as /user/{sub}/*')
    .addHelpText(
      'after',
      `
Example:
  posthaste realtime namespaces create chat -a shop --forward-topic chat --forward-name chat.said`,
    )
    .action(create);
}

async function create(name: string, options: CreateOptions): Promise<void> {
  const { application, history, maxEventBytes } = options;
  const { publishModes, subscribeModes, durable, schema } = options;
  const body = {
    ...{ application, name, history, maxEventBytes, ownChannels: options.ownChannels },
    publishAuthModes: publishModes,
    subscribeAuthModes: subscribeModes,
    durable: durable ? undefined : false,
    schema: schema === undefined ? undefined : await readSchema(schema),
    forwardTo: toForwardTarget(options),
  };
  const created = await apiClientFrom(process.env).call<NamespaceView>('POST', path, { body });
  printResult(options, created, created.name);
}

async function remove(name: string, { application, ...options }: OwnerOptions): Promise<void> {
  const query = application === undefined ? '' : `?${new URLSearchParams({ application })}`;
  await apiClientFrom(process.env).call('DELETE', `${path}/${encodeURIComponent(name)}${query}`);
  printResult(options, { name, removed: true }, `${name} is removed`);
}

async function list({ json, output: _, limit, ...query }: ListOptions): Promise<void> {
  const request = { path, query: { ...query }, limit };
  const page = await listItems<NamespaceView>(apiClientFrom(process.env), request);
  if (json) return printJson(page);
  printTable(
    ['NAME', 'APPLICATION', 'DURABLE', 'HISTORY', 'PUBLISH', 'SUBSCRIBE', 'FORWARDED', 'FROM'],
    page.items.map((namespace) => [
      namespace.name,
      namespace.application === null ? '(all)' : namespace.application || '-',
      namespace.durable ? 'yes' : 'no',
      String(namespace.history),
      namespace.publishAuthModes?.join(' ') ?? 'any',
      namespace.subscribeAuthModes?.join(' ') ?? 'any',
      namespace.forwardTo ? `${namespace.forwardTo.name} in ${namespace.forwardTo.topic}` : '-',
      namespace.definedBy,
    ]),
  );
  if (page.next !== null) print(`\nmore: --cursor ${page.next}`);
}

function toForwardTarget({ forwardTopic: topic, forwardName: name }: CreateOptions) {
  if (topic === undefined && name === undefined) return undefined;
  if (topic !== undefined && name !== undefined) return { topic, name };
  const message = '--forward-topic and --forward-name belong together; name both';
  throw new PlatformError('REQUEST_INVALID', message);
}

/** Reads a JSON Schema. @throws PlatformError `REQUEST_INVALID` */
async function readSchema(data: string): Promise<unknown> {
  try {
    return JSON.parse((await readDataArgument(data)).toString());
  } catch (cause) {
    if (cause instanceof PlatformError) throw cause;
    throw new PlatformError('REQUEST_INVALID', '--schema is not JSON', { cause });
  }
}
