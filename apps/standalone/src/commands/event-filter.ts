import type { Command } from 'commander';
import { parseMoment } from '../arguments/option-parsers.js';

/** Options that choose events of a topic. */
export interface FilterOptions {
  readonly name?: string;
  readonly key?: string;
  readonly since?: string;
}

/** Options that choose dead letters of a topic. */
export interface LetterFilterOptions extends FilterOptions {
  readonly until?: string;
  readonly group?: string;
}

/** Adds the options that choose events of a topic. */
export function addFilterOptions(command: Command): Command {
  return command
    .option(
      '--name <name>',
      "only events with this name, or with names of a pattern such as 'order.*' or 'order.**'",
    )
    .option('-k, --key <key>', 'only events with this key')
    .option(
      '--since <time>',
      'only events from this time on: 2030-01-31T12:00:00Z, or 10m for 10 minutes ago',
      parseMoment,
    );
}

/** Adds the options that choose dead letters. */
export function addLetterFilter(command: Command): Command {
  return addFilterOptions(command)
    .option('--until <time>', 'only events before this time', parseMoment)
    .option('-g, --group <name>', 'only dead letters of this consumer group');
}
