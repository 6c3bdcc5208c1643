import type { Command } from 'commander';
import { apiClientOf } from '../api/api-client.js';
import { printJson, printTable, tell } from '../display/output.js';

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

interface GroupPage {
  readonly items: readonly GroupDetails[];
  readonly next: string | null;
}

interface GroupOptions {
  readonly group?: string;
  readonly json?: boolean;
}

/** `posthaste events groups` and `lag`: how far those are who read the log. */
export function addGroupsCommands(command: Command): void {
  command
    .command('groups [topic]')
    .description('list consumer groups and how many events they are behind')
    .option('-g, --group <name>', 'only this group')
    .option('--json', 'as JSON')
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
  command
    .command('lag <topic> [group]')
    .description('how far the groups of a topic are in each of its partitions')
    .option('--json', 'as JSON')
    .action(async (topic: string, group: string | undefined, options: GroupOptions) => {
      const groups = await listGroups(topic, group);
      if (options.json) return printJson(groups);
      if (groups.length === 0) tell(`no consumer group${group ? ` ${group}` : ''} reads ${topic}`);
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

/** All of them, page after page. */
async function listGroups(topic?: string, group?: string): Promise<GroupDetails[]> {
  const api = apiClientOf(process.env);
  const query = new URLSearchParams({
    limit: '500',
    ...(topic === undefined ? {} : { topic }),
    ...(group === undefined ? {} : { group }),
  });
  const groups: GroupDetails[] = [];
  for (;;) {
    const page = await api.call<GroupPage>('GET', `/v1/events/groups?${query}`);
    groups.push(...page.items);
    if (page.next === null) return groups;
    query.set('cursor', page.next);
  }
}
