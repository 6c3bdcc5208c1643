import { type Caller, coversChannels } from '@posthaste/access';
import { type CountedChannel, listCountedChannels } from '@posthaste/appsync-server/postgres';
import { parseChannel } from '@posthaste/contracts';
import type { PostgresLog } from '@posthaste/eventstream';
import type { Queryable } from '@posthaste/postgres';
import { type Static, Type } from 'typebox';
import type { App } from '../../app.js';
import { listMirroredChannels, type MirroredChannel } from '../../realtime/mirrored-channels.js';
import { applicationField, nullable } from '../schemas/field-schemas.js';
import { refuseNulInQuery } from '../schemas/nul-free.js';
import { listQuery, type PageView, pageSchema } from '../schemas/pages.js';

/** Dependencies of the list of channels. */
export interface ChannelListDeps {
  /** Has what gateways report of their subscribers. */
  readonly db: Queryable;
  readonly log: Pick<PostgresLog, 'listTopics'>;
}

const maxPerPage = 500;
/** Most characters of a path: 5 segments of 50, and their slashes. */
const maxPathLength = 255;

const ChannelQuery = listQuery(maxPerPage, {
  application: applicationField,
  prefix: Type.Optional(
    Type.String({
      pattern: '^/[A-Za-z0-9/*-]*$',
      maxLength: maxPathLength,
      description: 'Only channels whose path begins with it.',
      examples: ['/chat/'],
    }),
  ),
});

const Channel = Type.Object(
  {
    channel: Type.String({
      description: 'Its path. A wildcard, to which somebody is subscribed, is listed as one.',
      examples: ['/chat/room', '/chat/*'],
    }),
    subscribers: Type.Integer({
      description: 'Subscriptions to just this path, on all gateways.',
    }),
    topic: nullable(
      Type.String({
        description:
          'Name of the topic whose events are mirrored on the channel. Null for channels that are no mirror.',
        examples: ['orders.v1'],
      }),
    ),
  },
  { title: 'Channel' },
);

type ChannelView = Static<typeof Channel>;

/** Adds `GET /v1/realtime/channels`: the channels that are in use, and those of the platform. */
export function channelListRoutes(app: App, { db, log }: ChannelListDeps): void {
  refuseNulInQuery(app);
  app.get(
    '/v1/realtime/channels',
    {
      config: {
        scope: 'realtime:read',
        application: 'named',
        errors: ['REQUEST_INVALID', 'APPLICATION_REQUIRED'],
      },
      schema: {
        tags: ['Realtime'],
        operationId: 'listChannels',
        summary: 'List realtime channels, by path',
        description:
          'Those of one application to which somebody is subscribed, and those on which the platform mirrors its events, with the names of their topics: a name that is no segment of a channel is `x-` and 32 digits of its SHA-256 in the path. A gateway reports its subscribers every 2 seconds, and is forgotten 15 seconds after it was killed. Mirrored topics need `events:read`, and `/posthaste/callbacks` `callbacks:read`.',
        querystring: ChannelQuery,
        response: { 200: pageSchema(Channel) },
      },
    },
    async ({ query, application, applications, caller }) => {
      const { prefix = '', limit = 50, cursor: after = '' } = query;
      const page = { application, prefix, after, limit: limit + 1 };
      const counted = await listCountedChannels(db, page);
      const topics = await log.listTopics(applications);
      const mirrored = listMirroredChannels(topics, { caller, application });
      const shown = mirrored.filter(({ channel }) => channel > after && channel.startsWith(prefix));
      return toPage(merge(counted, shown, mirrored), limit, caller);
    },
  );
}

/**
 * Joins the subscribed channels and the mirrored ones by path. A channel below a mirrored one has its
 * topic.
 */
function merge(
  counted: readonly CountedChannel[],
  shown: readonly MirroredChannel[],
  mirrored: readonly MirroredChannel[],
): ChannelView[] {
  const topicOf = new Map(mirrored.map(({ channel, topic }) => [channel, topic]));
  const views = new Map<string, ChannelView>();
  for (const { channel, topic } of shown) views.set(channel, { channel, subscribers: 0, topic });
  for (const { channel, subscribers } of counted) {
    const [namespace, kind, segment] = parseChannel(channel)?.segments ?? [];
    const topic = topicOf.get(channel) ?? topicOf.get(`/${namespace}/${kind}/${segment}`) ?? null;
    views.set(channel, { channel, subscribers, topic });
  }
  return [...views.values()].sort((a, b) => (a.channel < b.channel ? -1 : 1));
}

/** Returns the first views, without those that the caller may not use. */
function toPage(
  views: readonly ChannelView[],
  limit: number,
  { channels = null }: Pick<Caller, 'channels'>,
): PageView<ChannelView> {
  const page = views.slice(0, limit);
  const items = page.filter(({ channel }) => coversChannels(channels, [channel]));
  return { items, next: views.length > limit ? (page.at(-1)?.channel ?? null) : null };
}
