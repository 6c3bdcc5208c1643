import { PlatformError } from '@posthaste/contracts';
import { type Scope, scopes } from '@posthaste/gateway/scopes';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { readApiAddress } from '../api/api-client.js';
import { print, printJson, printTable } from '../display/output.js';
import type { KeyRegister } from '../platform/key-register.js';

interface CreateOptions {
  readonly name: string;
  readonly scopes: readonly Scope[];
  readonly expires?: Date;
}

interface Asked {
  readonly url?: string;
}

const maxNameLength = 200;

/** `posthaste keys …`: API keys, in the database itself or at a running gateway. */
export function addKeysCommand(program: Command): void {
  const command = program
    .command('keys')
    .description('create, list and revoke API keys')
    .option('--url <url>', 'at this running gateway, with POSTHASTE_API_KEY if it asks for one')
    .addHelpText(
      'after',
      `
Works on the database itself: DATABASE_URL, or the embedded one while nothing else has it
open. The first key cannot be made in another way. Changes reach running gateways within
ten seconds.`,
    );
  addCreate(command);
  command
    .command('list')
    .description('list the keys, newest first, revoked ones too')
    .option('--json', 'as JSON')
    .action((options: { json?: boolean }) =>
      withRegister(command, (register) => list(register, options.json ?? false)),
    );
  command
    .command('revoke <id>')
    .description('take a key back')
    .action((id: string) =>
      withRegister(command, async (register) => {
        const { name } = await register.revoke(id);
        print(`revoked ${name}`);
      }),
    );
}

function addCreate(command: Command): void {
  command
    .command('create')
    .description('create a key, and print it: this is the only time that it can be seen')
    .requiredOption('-n, --name <name>', 'what people call it', toName)
    .addOption(
      new Option('-s, --scopes <scopes...>', 'what it may do; admin is everything')
        .choices(scopes)
        .default(['admin']),
    )
    .option('--expires <time>', 'not accepted from then on, such as 2030-01-31', toFuture)
    .addHelpText(
      'after',
      '\n  posthaste keys create --name shop --scopes callbacks:write callbacks:read',
    )
    .action(({ name, scopes, expires }: CreateOptions) =>
      withRegister(command, async (register) => {
        print(await register.create({ name, scopes, expiresAt: expires ?? null }));
      }),
    );
}

async function list(register: KeyRegister, asJson: boolean): Promise<void> {
  const keys = await register.list();
  if (asJson) return printJson(keys);
  const now = new Date().toISOString();
  printTable(
    ['ID', 'NAME', 'SCOPES', 'STATE', 'CREATED', 'LAST USED'],
    keys.map((key) => [
      key.id,
      key.name,
      key.scopes.join(','),
      key.revokedAt ? 'revoked' : key.expiresAt && key.expiresAt <= now ? 'expired' : 'active',
      key.createdAt,
      key.lastUsedAt ?? '-',
    ]),
  );
}

async function withRegister(
  command: Command,
  work: (register: KeyRegister) => Promise<void>,
): Promise<void> {
  const { withKeyRegister } = await import('../platform/key-register.js');
  const { url } = command.opts<Asked>();
  try {
    await withKeyRegister(process.env, url, work);
  } catch (error) {
    if (!(error instanceof PlatformError && error.code === 'DATABASE_IN_USE')) throw error;
    const { url: running } = readApiAddress(process.env);
    const message = `${error.message} Or ask it: posthaste keys --url ${running} …`;
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
  throw new InvalidArgumentError('It must be a time to come, such as 2030-01-31.');
}
