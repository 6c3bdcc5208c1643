import { type Scope, scopes } from '@posthaste/access/scopes';
import { PlatformError } from '@posthaste/contracts';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { readApiAddress } from '../api/api-client.js';
import { addOutputOption, type OutputOptions } from '../arguments/output-option.js';
import { printJson, printResult, printTable } from '../display/output.js';
import type { KeyStore } from '../platform/key-store.js';

interface CreateOptions extends OutputOptions {
  readonly name: string;
  readonly scopes?: readonly Scope[];
  readonly admin?: boolean;
  readonly application?: readonly string[];
  readonly channel?: readonly string[];
  readonly expires?: Date;
}

interface KeysOptions {
  readonly url?: string;
}

const maxNameLength = 200;

/** Adds `posthaste keys …`: commands on API keys, in the database or through a running gateway. */
export function addKeysCommand(program: Command): void {
  const command = program
    .command('keys')
    .description('create, list and revoke API keys')
    .option(
      '--url <url>',
      'use the gateway that runs at this URL, with POSTHASTE_API_KEY (default: use the database)',
    )
    .addHelpText(
      'after',
      `
Without --url, these commands open the database: DATABASE_URL, or the embedded database
while no other process has it open. The first key has to be created that way. Changes reach
running gateways within a second.`,
    );
  addCreate(command);
  addOutputOption(
    command.command('list').description('list all keys, newest first, including revoked ones'),
  ).action((options: OutputOptions) =>
    withStore(command, (store) => list(store, options.json ?? false)),
  );
  addOutputOption(
    command.command('revoke <id>').description('revoke a key: it is no longer accepted'),
  ).action((id: string, options: OutputOptions) =>
    withStore(command, async (store) => {
      const key = await store.revoke(id);
      printResult(options, key, `revoked ${key.name}`);
    }),
  );
}

function addCreate(command: Command): void {
  const create: Command = addOutputOption(
    command.command('create').description('create a key and print it; it cannot be shown again'),
  )
    .requiredOption('-n, --name <name>', 'name of the key, for people', toName)
    .addOption(new Option('-s, --scopes <scopes...>', 'scopes of the key').choices(scopes))
    .addOption(new Option('--admin', 'create a key that may do everything').conflicts('scopes'))
    .option(
      '-a, --application <name...>',
      'application that the key may use; may be given several times (default: all)',
    )
    .option(
      '--channel <channel...>',
      'realtime channel that the key may use, or a pattern such as /chat/*; may be given several times (default: all)',
    )
    .option(
      '--expires <time>',
      'time from which the key is not accepted, such as 2030-01-31 (default: never)',
      toFuture,
    )
    .addHelpText(
      'after',
      `
Examples:
  posthaste keys create --name shop --scopes callbacks:write callbacks:read --application shop
  posthaste keys create --name operator --admin`,
    );
  create.action(({ name, scopes: given, admin, ...options }: CreateOptions) => {
    const chosen: readonly Scope[] | undefined = admin ? ['admin'] : given;
    if (!chosen) {
      create.error(
        `error: give --scopes with what the key may do (${scopes.join(', ')}), or --admin for everything`,
      );
    }
    return withStore(command, async (store) => {
      const { application: applications, channel: channels, expires: expiresAt } = options;
      const created = await store.create({
        ...{ name, scopes: chosen, applications, channels, expiresAt },
      });
      printResult(options, created, created.token);
    });
  });
}

async function list(store: KeyStore, asJson: boolean): Promise<void> {
  const keys = await store.list();
  if (asJson) return printJson(keys);
  const now = new Date().toISOString();
  printTable(
    ['ID', 'NAME', 'APPLICATIONS', 'SCOPES', 'STATE', 'CREATED', 'EXPIRES', 'LAST USED'],
    keys.map((key) => [
      key.id,
      key.name,
      toApplicationsCell(key.applications),
      key.scopes.join(','),
      key.revokedAt ? 'revoked' : key.expiresAt && key.expiresAt <= now ? 'expired' : 'active',
      key.createdAt,
      key.expiresAt ?? 'never',
      key.lastUsedAt ?? '-',
    ]),
  );
}

/** Returns the applications of a key for the table. A name that is not plain is quoted. */
function toApplicationsCell(applications: readonly string[] | null): string {
  if (applications === null) return 'all';
  const isPlain = (name: string): boolean => /^[\w.-]+$/.test(name) && name !== 'all';
  return applications.map((name) => (isPlain(name) ? name : JSON.stringify(name))).join(',');
}

async function withStore(
  command: Command,
  work: (store: KeyStore) => Promise<void>,
): Promise<void> {
  const { withKeyStore } = await import('../platform/key-store.js');
  const { url } = command.opts<KeysOptions>();
  try {
    await withKeyStore(process.env, url, work);
  } catch (error) {
    if (!(error instanceof PlatformError && error.code === 'DATABASE_IN_USE')) throw error;
    const { url: running } = readApiAddress(process.env);
    const message = `${error.message} Or use its gateway: posthaste keys --url ${running} …`;
    throw new PlatformError(error.code, message, { cause: error });
  }
}

function toName(text: string): string {
  if (text !== '' && text.length <= maxNameLength) return text;
  throw new InvalidArgumentError(`It must be 1 to ${maxNameLength} characters.`);
}

function toFuture(text: string): Date {
  const time = new Date(text);
  if (time.getTime() > Date.now()) return time;
  throw new InvalidArgumentError('It must be a time in the future, such as 2030-01-31.');
}
