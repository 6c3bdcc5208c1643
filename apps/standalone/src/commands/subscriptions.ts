import { parseJsonWithDigits, stringifyExactJson } from '@posthaste/contracts';
import { type Command, InvalidArgumentError } from 'commander';
import { apiClientFrom, gatewayHelp } from '../api/api-client.js';
import { listItems } from '../api/item-list.js';
import { wholeNumberParser } from '../arguments/option-parsers.js';
import { addOutputOption, type OutputOptions } from '../arguments/output-option.js';
import { describeFacts, print, printJson, printResult, printTable } from '../display/output.js';

interface SubscriptionView {
  readonly id: string;
  readonly endpointId: string;
  readonly eventName: string;
  readonly namespace: string | null;
  readonly filter: object | null;
  readonly createdAt: string;
}

interface ConditionOptions extends OutputOptions {
  readonly namespace?: string;
  readonly filter?: unknown;
}

interface ListOptions extends OutputOptions {
  readonly endpoint?: string;
  readonly limit: number;
  readonly cursor?: string;
}

const path = '/v1/subscriptions';
const maxLimit = 500;

/** Adds `posthaste subscriptions …`: commands on subscriptions, through a running gateway. */
export function addSubscriptionsCommand(program: Command): void {
  const command = program
    .command('subscriptions')
    .description('subscribe endpoints to events; show, list, replace and remove subscriptions')
    .addHelpText(
      'after',
      `
${gatewayHelp}

<pattern> is an event name, or for CloudEvents a type. * stands for one segment between
dots; ** in the last place for one or more: 'order.*', 'order.**', '**'.`,
    );
  addConditions(
    command
      .command('create <endpoint-id> <pattern>')
      .description('subscribe an endpoint to events that are published from now on'),
  ).action(create);
  addConditions(
    command.command('update <id> <pattern>').description('replace all conditions'),
  ).action(update);
  addOutputOption(command.command('show <id>').description('show a subscription')).action(show);
  addOutputOption(command.command('list').description('list subscriptions, newest first'))
    .option('-e, --endpoint <id>', 'only subscriptions of this endpoint')
    .option('-n, --limit <n>', 'most subscriptions to list', wholeNumberParser(1, maxLimit), 50)
    .option('--cursor <cursor>', 'continue at the cursor that the last page printed')
    .action(list);
  addOutputOption(command.command('remove <id>').description('remove a subscription')).action(
    remove,
  );
}

function addConditions(command: Command): Command {
  return addOutputOption(command)
    .option('--namespace <name>', 'only events of this namespace')
    .option('--filter <schema>', 'only events with data that this JSON Schema accepts', toSchema);
}

async function create(
  endpointId: string,
  eventName: string,
  { namespace, filter, ...options }: ConditionOptions,
): Promise<void> {
  const body = { endpointId, eventName, namespace, filter };
  const api = apiClientFrom(process.env);
  const subscription = await api.call<SubscriptionView>('POST', path, { body });
  printResult(options, subscription, subscription.id);
}

async function update(
  id: string,
  eventName: string,
  { namespace, filter, ...options }: ConditionOptions,
): Promise<void> {
  const body = { eventName, namespace, filter };
  const api = apiClientFrom(process.env);
  const subscription = await api.call<SubscriptionView>('PUT', pathOf(id), { body });
  printResult(options, subscription, describe(subscription));
}

async function show(id: string, options: OutputOptions): Promise<void> {
  const subscription = await apiClientFrom(process.env).call<SubscriptionView>('GET', pathOf(id));
  printResult(options, subscription, describe(subscription));
}

async function remove(id: string, options: OutputOptions): Promise<void> {
  await apiClientFrom(process.env).call('DELETE', pathOf(id));
  printResult(options, { id, removed: true }, `${id} is removed`);
}

async function list({ json, limit, cursor, endpoint }: ListOptions): Promise<void> {
  const request = { path, query: { endpointId: endpoint, cursor }, limit };
  const page = await listItems<SubscriptionView>(apiClientFrom(process.env), request);
  if (json) return printJson(page);
  printTable(
    ['ID', 'ENDPOINT', 'EVENTS', 'NAMESPACE', 'FILTER'],
    page.items.map(({ id, endpointId, eventName, namespace, filter }) => [
      id,
      endpointId,
      eventName,
      namespace ?? '-',
      filter === null ? '-' : stringifyExactJson(filter),
    ]),
  );
  if (page.next !== null) print(`\nmore: --cursor ${page.next}`);
}

function describe({ filter, ...subscription }: SubscriptionView): string {
  return describeFacts([
    ['id', subscription.id],
    ['endpoint', subscription.endpointId],
    ['events', subscription.eventName],
    ['namespace', subscription.namespace],
    ['filter', filter === null ? null : stringifyExactJson(filter)],
    ['created', subscription.createdAt],
  ]);
}

function pathOf(id: string): string {
  return `${path}/${encodeURIComponent(id)}`;
}

function toSchema(text: string): unknown {
  try {
    return parseJsonWithDigits(text);
  } catch {
    throw new InvalidArgumentError('It must be a JSON Schema, as JSON.');
  }
}
