import { type Command, Option } from 'commander';
import { apiClientFrom, gatewayHelp } from '../api/api-client.js';
import { listItems } from '../api/item-list.js';
import { parseMoment, wholeNumberParser } from '../arguments/option-parsers.js';
import { addOutputOption, type OutputOptions } from '../arguments/output-option.js';
import { print, printJson, printTable } from '../display/output.js';

/** Entry of the audit log, as the gateway answers it. */
interface EntryView {
  readonly id: string;
  readonly time: string;
  readonly application: string | null;
  readonly actor: { readonly kind: string; readonly name: string };
  readonly action: string;
  readonly target: { readonly id: string; readonly name: string };
  readonly changed: readonly string[];
  readonly from: { readonly address: string | null };
}

interface ListOptions extends OutputOptions {
  readonly application?: string;
  readonly actor?: string;
  readonly actorKind?: string;
  readonly action?: string;
  readonly target?: string;
  readonly targetKind?: string;
  readonly since?: string;
  readonly until?: string;
  readonly limit: number;
  readonly cursor?: string;
}

const actorKinds = ['key', 'person', 'token', 'local', 'command', 'platform'];
const maxLimit = 500;

/** Adds `posthaste audit`: who changed what, through a running gateway. */
export function addAuditCommand(program: Command): void {
  addOutputOption(program.command('audit').description('list who changed what, newest first'))
    .option('-a, --application <name>', 'only changes of this application')
    .option('--actor <name>', 'only changes by this key, person or user: an id or a name')
    .addOption(
      new Option('--actor-kind <kind>', 'only changes by actors of this kind').choices(actorKinds),
    )
    .option('--action <pattern>', "only these actions: 'endpoint.updated', 'endpoint.*'")
    .option('--target <name>', 'only changes of this thing: an id or a name')
    .option('--target-kind <kind>', "only changes of things of this kind: 'endpoint', 'api-key'")
    .option(
      '--since <time>',
      'only changes from this time on: 2030-01-31T12:00:00Z, or 10m for 10 minutes ago',
      parseMoment,
    )
    .option('--until <time>', 'only changes before this time', parseMoment)
    .option('-n, --limit <n>', 'most changes to list', wholeNumberParser(1, maxLimit), 50)
    .option('--cursor <cursor>', 'continue at the cursor that the last page printed')
    .addHelpText(
      'after',
      `
${gatewayHelp}

The API key needs the scope audit:read. --json shows the states before and after each change,
with *** for secrets.

Examples:
  posthaste audit --target order-service
  posthaste audit --actor ada --since 24h --json`,
    )
    .action(list);
}

async function list({ json, output: _, limit, ...filter }: ListOptions): Promise<void> {
  const request = { path: '/v1/audit', query: { ...filter }, limit };
  const page = await listItems<EntryView>(apiClientFrom(process.env), request);
  if (json) return printJson(page);
  printTable(
    ['TIME', 'ACTOR', 'ACTION', 'APPLICATION', 'TARGET', 'CHANGED', 'FROM'],
    page.items.map(({ time, actor, action, application, target, changed, from }) => [
      time,
      `${actor.kind} ${actor.name}`,
      action,
      application || '-',
      target.name,
      changed.length > 3 ? `${changed.length} members` : changed.join(' ') || '-',
      from.address ?? '-',
    ]),
  );
  if (page.next !== null) print(`\nmore: --cursor ${page.next}`);
}
