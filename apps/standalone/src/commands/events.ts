import type { Command } from 'commander';
import { gatewayHelp } from '../api/api-client.js';
import { addDeadLettersCommand } from './dead-letters.js';
import { addGroupsCommands } from './event-groups.js';
import { addPublishCommand } from './publish-events.js';
import { addTailCommand } from './tail-events.js';

/** Adds `posthaste events …`: commands on the event log, through a running gateway. */
export function addEventsCommand(program: Command): void {
  const command = program
    .command('events')
    .description('publish and show events, consumer groups and dead letters')
    .addHelpText(
      'after',
      `
${gatewayHelp}

Examples:
  posthaste events publish orders order.placed -d '{"total": 3}'
  posthaste events tail orders`,
    );
  addPublishCommand(command);
  addTailCommand(command);
  addGroupsCommands(command);
  addDeadLettersCommand(command);
}
