import type { Command } from 'commander';
import { apiClientFrom } from '../api/api-client.js';
import { listAllItems } from '../api/item-list.js';
import { addOutputOption, type OutputOptions } from '../arguments/output-option.js';
import { printJson, printStatus, printTable } from '../display/output.js';

interface GroupDetails {
  readonly topic: string;
  readonly group: string;
  readonly lag: number;
  readonly partitions: readonly {
    readonly partition: number;
    readonly committed: number;
    readonly end: number;
    readonly lag: number;
  }[];
}

const pageSize = 500;

interface GroupOptions extends OutputOptions {
  readonly group?: string;
}

/** Adds `posthaste events groups` and `lag`, which show how far consumer groups have read the log. */
export function addGroupsCommands(command: Command): void {
  addOutputOption(
    command
      .command('groups [topic]')
      .description('list consumer groups with their lag: the number of events still to read'),
  )
    .option('-g, --group <name>', 'only this group')
    .action(async (topic: string | undefined, options: GroupOptions) => {
      const groups = await listGroups(topic, options.group);
      if (options.json) return printJson(groups);
      printTable(
        ['TOPIC', 'GROUP', 'PARTITIONS', 'LAG'],
        groups.map(({ topic: name, group, partitions, lag }) => [
          name,
          group,
          String(partitions.length),
          String(lag),
        ]),
      );
    });
  addOutputOption(
    command
      .command('lag <topic> [group]')
      .description('show the lag of consumer groups in each partition of a topic'),
  ).action(async (topic: string, group: string | undefined, options: GroupOptions) => {
    const groups = await listGroups(topic, group);
    if (groups.length === 0) {
      printStatus(`no consumer group${group ? ` ${group}` : ''} reads ${topic}`);
      // A group that was named and does not read the topic is a mistake; a topic without groups is not.
      if (group !== undefined) process.exitCode = 1;
    }
    if (options.json) return printJson(groups);
    printTable(
      ['GROUP', 'PARTITION', 'NEXT', 'END', 'LAG'],
      groups.flatMap(({ group: name, partitions }) =>
        partitions.map(({ partition, committed, end, lag }) => [
          name,
          ...[partition, committed, end, lag].map(String),
        ]),
      ),
    );
  });
}

function listGroups(topic?: string, group?: string): Promise<GroupDetails[]> {
  const request = { path: '/v1/events/groups', query: { topic, group }, limit: pageSize };
  return listAllItems(apiClientFrom(process.env), request);
}
