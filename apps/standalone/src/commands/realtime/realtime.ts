import type { Command } from 'commander';
import { addChannelsCommand } from './channels.js';
import { addEmulatorCommand } from './emulator.js';
import { addNamespacesCommand } from './namespaces.js';
import { addPublishCommand } from './publish.js';
import { addSubscribeCommand } from './subscribe.js';

/** Adds `posthaste realtime …`: an emulator of AWS AppSync Events, and commands on channels. */
export function addRealtimeCommand(program: Command): void {
  const command = program
    .command('realtime')
    .description(
      'emulate AWS AppSync Events, subscribe, publish, list channels, manage namespaces',
    );
  addEmulatorCommand(command);
  addSubscribeCommand(command);
  addPublishCommand(command);
  addChannelsCommand(command);
  addNamespacesCommand(command);
}
