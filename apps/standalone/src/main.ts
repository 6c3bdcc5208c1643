#!/usr/bin/env node
import { PlatformError } from '@posthaste/contracts';
import { gatewayService } from '@posthaste/gateway';
import { exitCodes, runService } from '@posthaste/service';
import { workerService } from '@posthaste/worker';
import { Command } from 'commander';
import { callbacksCommand } from './commands/callbacks.js';
import { demoCommand } from './commands/demo.js';
import { keysCommand } from './commands/keys.js';
import { migrateCommand } from './commands/migrate.js';
import { queuesCommand } from './commands/queues.js';
import { startCommand } from './commands/start.js';

const program = new Command('posthaste')
  .description('An event platform: callbacks that are delivered in order, whatever crashes.')
  .showHelpAfterError()
  .addHelpText('after', '\nSettings are environment variables: see docs/configuration.md.');

program
  .command('start')
  .description('run everything in this process, on the embedded database or DATABASE_URL')
  .action(() => runService(startCommand));
program
  .command('gateway')
  .description('run the gateway: HTTP in, on DATABASE_URL')
  .action(() => runService(gatewayService));
program
  .command('worker')
  .description('run a worker: deliveries out, on DATABASE_URL')
  .action(() => runService(workerService));
for (const command of [migrateCommand, keysCommand, callbacksCommand, queuesCommand, demoCommand]) {
  program.addCommand(command());
}

try {
  await program.parseAsync();
} catch (error) {
  if (!(error instanceof PlatformError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = error.code === 'CONFIG_INVALID' ? exitCodes.config : exitCodes.unavailable;
}
