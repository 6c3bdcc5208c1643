import { requestInvalid } from '@posthaste/callbacks';
import { type Applications, PlatformError } from '@posthaste/contracts';
import type { GroupLag, PostgresLog } from '@posthaste/eventstream';
import { type Static, Type } from 'typebox';
import type { App } from '../../app.js';
import { applicationFilter, noUnknownKeys } from '../schemas/field-schemas.js';
import { refuseNulInQuery } from '../schemas/nul-free.js';
import { listQuery, type PageView, pageQuery, pageSchema } from '../schemas/pages.js';

/** Queries of the log that these routes need. */
export type GroupLog = Pick<PostgresLog, 'listTopics' | 'listGroups'>;

const tags = ['Events'];
const maxLimit = 500;

const Topic = Type.Object({ name: Type.String() }, { title: 'Topic' });

const GroupQuery = Type.Object(
  {
    application: applicationFilter,
    topic: Type.Optional(
      Type.String({ description: 'Only groups that read this topic.', examples: ['orders'] }),
    ),
    group: Type.Optional(Type.String({ description: 'Only this group.', examples: ['mail'] })),
    ...pageQuery(maxLimit),
  },
  noUnknownKeys,
);

const Group = Type.Object(
  {
    topic: Type.String(),
    group: Type.String(),
    lag: Type.Integer({
      description: 'Events that the group has not read yet, in all partitions.',
    }),
    partitions: Type.Array(
      Type.Object({
        partition: Type.Integer(),
        committed: Type.Integer({ description: 'Offset of the next event to read.' }),
        end: Type.Integer({ description: 'Offset that the next appended event gets.' }),
        lag: Type.Integer(),
      }),
    ),
  },
  { title: 'ConsumerGroup', description: 'The progress of a consumer group in one topic.' },
);

type GroupView = Static<typeof Group>;

/**
 * Adds `/v1/events/topics` and `/v1/events/groups`: the topics of the log, and the progress of their
 * consumer groups.
 */
export function eventGroupRoutes(app: App, log: GroupLog): void {
  refuseNulInQuery(app);
  app.get(
    '/v1/events/topics',
    {
      config: { scope: 'events:read', application: 'filter', errors: ['REQUEST_INVALID'] },
      schema: {
        tags,
        operationId: 'listTopics',
        summary: 'List topics, by name',
        description:
          'An application has the topics that it has published to, those that POSTHASTE_TOPIC_APPLICATIONS maps to it, and those of the platform.',
        querystring: listQuery(maxLimit, { application: applicationFilter }),
        response: { 200: pageSchema(Topic) },
      },
    },
    async ({ applications, query: { limit = 50, cursor } }) => {
      const names = namesAfter(await log.listTopics(applications), cursor);
      const page = names.slice(0, limit);
      const next = names.length > limit ? page.at(-1) : undefined;
      return { items: page.map((name) => ({ name })), next: next ?? null };
    },
  );
  app.get(
    '/v1/events/groups',
    {
      config: {
        scope: 'events:read',
        application: 'filter',
        errors: ['REQUEST_INVALID', 'TOPIC_NOT_FOUND'],
      },
      schema: {
        tags,
        operationId: 'listConsumerGroups',
        summary: 'List consumer groups with their lag',
        description:
          'Sorted by topic and name. A group that reads several topics is listed once for each. An application has the groups that POSTHASTE_GROUP_APPLICATIONS maps to it, and those of the topics that POSTHASTE_TOPIC_APPLICATIONS maps to it. Lag and offsets count the events of all applications in the topic.',
        querystring: GroupQuery,
        response: { 200: pageSchema(Group) },
      },
    },
    ({ applications, query }) => listGroups(log, applications, query),
  );
}

async function listGroups(
  log: GroupLog,
  within: Applications,
  { application: _, group: groupId, ...query }: Static<typeof GroupQuery>,
): Promise<PageView<GroupView>> {
  const { groups, next } = await log.listGroups({ ...query, within, groupId });
  if (groups.length === 0 && query.topic !== undefined) {
    await requireTopic(log, within, query.topic);
  }
  return { items: groups.map(toGroupView), next: next ?? null };
}

/**
 * Checks that a topic exists, for these applications, whose list is empty: a misspelt name has an
 * empty list too.
 * @throws PlatformError `TOPIC_NOT_FOUND`
 */
export async function requireTopic(
  log: Pick<PostgresLog, 'listTopics'>,
  within: Applications,
  topic: string,
): Promise<void> {
  if ((await log.listTopics(within)).includes(topic)) return;
  throw new PlatformError('TOPIC_NOT_FOUND', `topic '${topic}' does not exist; check the name`);
}

/**
 * Returns the names after the cursor, which is one of them: topics are never deleted. Does not
 * compare names: the database sorts them, and its order may differ from that of JavaScript.
 * @throws PlatformError `REQUEST_INVALID`
 */
function namesAfter(names: readonly string[], cursor: string | undefined): readonly string[] {
  if (cursor === undefined) return names;
  const index = names.indexOf(cursor);
  if (index >= 0) return names.slice(index + 1);
  throw requestInvalid([{ field: 'query.cursor', message: 'is not one that a page gave' }]);
}

function toGroupView({ topic, groupId, partitions }: GroupLag): GroupView {
  return {
    topic,
    group: groupId,
    lag: partitions.reduce((sum, { lag }) => sum + Number(lag), 0),
    partitions: partitions.map(({ partition, committed, end, lag }) => ({
      partition,
      committed: Number(committed ?? 0n),
      end: Number(end),
      lag: Number(lag),
    })),
  };
}
