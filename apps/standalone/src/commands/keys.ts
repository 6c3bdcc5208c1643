import { ApiKeys, type Scope, scopes } from '@posthaste/gateway';
import { createLogger } from '@posthaste/service';
import { Command, Option } from 'commander';
import { readStandaloneConfig } from '../config.js';
import { openStandaloneDatabase } from '../standalone.js';
import { renderTable } from '../table.js';

const maxListed = 1_000;

/**
 * `posthaste keys …`: API keys, in the database itself: the first one cannot be made over an API
 * that needs a key.
 */
export function keysCommand(): Command {
  const command = new Command('keys').description('create, list and revoke API keys');
  command
    .command('create')
    .description('create a key; prints it this once')
    .requiredOption('-n, --name <name>', 'what people call it')
    .addOption(
      new Option('-s, --scopes <scopes...>', 'what it may do').choices(scopes).default(['admin']),
    )
    .option('--expires <time>', 'not accepted from then on, such as 2030-01-31')
    .action(create);
  command.command('list').description('list the keys, newest first').action(list);
  command
    .command('revoke <id>')
    .description('take a key back; it is refused within seconds')
    .action((id: string) =>
      withKeys(async (keys) => {
        const { name } = await keys.revokeKey(id);
        process.stdout.write(`revoked ${name}\n`);
      }),
    );
  return command;
}

async function create(options: {
  name: string;
  scopes: readonly Scope[];
  expires?: string;
}): Promise<void> {
  const expiresAt = options.expires === undefined ? null : new Date(options.expires);
  await withKeys(async (keys) => {
    const { token } = await keys.createKey({ ...options, expiresAt });
    process.stdout.write(`${token}\n`);
  });
}

function list(): Promise<void> {
  return withKeys(async (keys) => {
    const rows = (await keys.listKeys({ limit: maxListed })).map((key) => [
      key.id,
      key.name,
      key.scopes.join(','),
      key.revokedAt ? 'revoked' : 'active',
      key.lastUsedAt?.toISOString() ?? '-',
    ]);
    process.stdout.write(renderTable(['ID', 'NAME', 'SCOPES', 'STATE', 'LAST USED'], rows));
  });
}

async function withKeys(work: (keys: ApiKeys) => Promise<void>): Promise<void> {
  const logger = createLogger({ level: 'silent', service: 'keys' });
  const db = await openStandaloneDatabase(readStandaloneConfig(process.env), logger);
  const keys = new ApiKeys(db);
  try {
    await work(keys);
  } finally {
    await keys.close();
    await db.close();
  }
}
