import type { Command } from 'commander';
import { moment } from '../arguments/moment.js';

/** Which events of a topic. */
export interface FilterOptions {
  readonly name?: string;
  readonly key?: string;
  readonly since?: string;
}

/** Which dead letters of a topic. */
export interface LetterFilterOptions extends FilterOptions {
  readonly until?: string;
  readonly group?: string;
}

/** Adds the options that choose events within a topic. */
export function addFilterOptions(command: Command): Command {
  return command
    .option('--name <name>', 'only events of this name')
    .option('-k, --key <key>', 'only events of this key')
    .option(
      '--since <time>',
      'from this time on, such as 2030-01-31T12:00:00Z, or 10m ago: 10m',
      moment,
    );
}

/** Adds the options that choose dead letters. */
export function addLetterFilter(command: Command): Command {
  return addFilterOptions(command)
    .option('--until <time>', 'before this time', moment)
    .option('-g, --group <name>', 'only what this consumer group failed on');
}
