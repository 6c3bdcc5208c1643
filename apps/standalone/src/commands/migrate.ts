import { createLogger } from '@posthaste/service';
import { platformSettings, readSettings } from '@posthaste/settings';
import type { Command } from 'commander';
import { addOutputOption, type OutputOptions } from '../arguments/output-option.js';
import { print, printJson } from '../display/output.js';

/** Adds `posthaste migrate`, which brings the tables up to date and exits. */
export function addMigrateCommand(program: Command): void {
  addOutputOption(
    program
      .command('migrate')
      .description('bring the tables of DATABASE_URL, or of the embedded database, up to date'),
  )
    .addHelpText(
      'after',
      `
Applies the missing migrations, each in its own transaction. It can be repeated, and run while
other processes use the database. Run it before the first start of gateway and worker and
before a new release. "posthaste start" migrates by itself.`,
    )
    .action(migrate);
}

async function migrate({ json }: OutputOptions): Promise<void> {
  const { migratePlatform, openPlatformDatabase } = await import(
    '../platform/platform-database.js'
  );
  const settings = readSettings(process.env, platformSettings);
  const db = await openPlatformDatabase(settings, createLogger({ level: 'silent', service: '' }));
  try {
    const applied = await migratePlatform(db);
    if (json) return printJson({ applied });
    for (const { owner, version, name } of applied) print(`applied ${owner} ${version}: ${name}`);
    print('The database is up to date.');
  } finally {
    await db.close();
  }
}
