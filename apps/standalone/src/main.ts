#!/usr/bin/env node
import { Command } from 'commander';
import { runCommandLine } from './command-line.js';
import { addCallbacksCommand } from './commands/callbacks.js';
import { addDemoCommand } from './commands/demo.js';
import { addEventsCommand } from './commands/events.js';
import { addKeysCommand } from './commands/keys.js';
import { addMigrateCommand } from './commands/migrate.js';
import { addQueuesCommand } from './commands/queues.js';
import { addServiceCommands } from './commands/services.js';

const program = new Command('posthaste')
  .description('An event platform: callbacks that are delivered in order, whatever crashes.')
  .addHelpText(
    'after',
    `
Settings are environment variables, all of them in docs/configuration.md.

  posthaste start                 everything in one process, on http://127.0.0.1:8080
  posthaste demo                  watch a thousand callbacks survive a bad receiver
  posthaste callbacks send <url>  hand in a callback
  posthaste events tail           watch events as they come`,
  );

addServiceCommands(program);
addMigrateCommand(program);
addKeysCommand(program);
addCallbacksCommand(program);
addQueuesCommand(program);
addEventsCommand(program);
addDemoCommand(program);

await runCommandLine(program);
