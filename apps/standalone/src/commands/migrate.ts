import { createLogger } from '@posthaste/service';
import { Command } from 'commander';
import { readStandaloneConfig } from '../config.js';
import { openStandaloneDatabase } from '../standalone.js';

/** `posthaste migrate`: brings the tables up to date, and ends. Safe beside running processes. */
export function migrateCommand(): Command {
  return new Command('migrate')
    .description('bring the tables of the database up to date (DATABASE_URL, or the embedded one)')
    .action(async () => {
      const config = readStandaloneConfig(process.env);
      const logger = createLogger({ level: 'silent', service: 'migrate' });
      const db = await openStandaloneDatabase(config, logger);
      await db.close();
      process.stdout.write('The database is up to date.\n');
    });
}
