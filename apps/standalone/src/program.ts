import { Command } from 'commander';
import { addAuditCommand } from './commands/audit.js';
import { addCallbacksCommand } from './commands/callbacks.js';
import { addDemoCommand } from './commands/demo.js';
import { addEndpointsCommand } from './commands/endpoints.js';
import { addEventsCommand } from './commands/events.js';
import { addKeysCommand } from './commands/keys.js';
import { addMigrateCommand } from './commands/migrate.js';
import { addQueuesCommand } from './commands/queues.js';
import { addListenCommand } from './commands/realtime/listen.js';
import { addRealtimeCommand } from './commands/realtime/realtime.js';
import { addServiceCommands } from './commands/services.js';
import { addSubscriptionsCommand } from './commands/subscriptions.js';

/** Creates the `posthaste` command with all its commands. */
export function createProgram(): Command {
  const program = new Command('posthaste')
    .description('Event platform that delivers callbacks in order, whatever crashes.')
    .addHelpText(
      'after',
      `
Settings are environment variables; docs/configuration.md lists all of them.

Examples:
  posthaste start                 run everything in this process, on http://127.0.0.1:8080
  posthaste demo                  send 1,000 callbacks to a receiver that misbehaves
  posthaste callbacks send <url>  send a callback
  posthaste events tail           show events as they come`,
    );

  addServiceCommands(program);
  addMigrateCommand(program);
  addKeysCommand(program);
  addCallbacksCommand(program);
  addQueuesCommand(program);
  addEventsCommand(program);
  addEndpointsCommand(program);
  addSubscriptionsCommand(program);
  addListenCommand(program);
  addRealtimeCommand(program);
  addAuditCommand(program);
  addDemoCommand(program);
  return program;
}
