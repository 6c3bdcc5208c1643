import { type Caller, grants, type Scope } from '@posthaste/access';
import { toChannelSegment } from '@posthaste/contracts';
import { isAuditTopic } from '../access/audit-events.js';

/** Channel on which the platform mirrors events of a topic. */
export interface MirroredChannel {
  readonly channel: string;
  /** Name of the topic, as publishers and subscriptions use it. */
  readonly topic: string;
}

/** Lists the channels that a caller may subscribe to, of these topics and of callbacks. */
export function listMirroredChannels(
  topics: readonly string[],
  { scopes }: Pick<Caller, 'scopes'>,
): MirroredChannel[] {
  const may = (scope: Scope): boolean => grants(scopes, scope);
  const callbacks = { channel: '/posthaste/callbacks', topic: 'callbacks' };
  const ofTopics = topics
    .filter((topic) => may('events:read') && (!isAuditTopic(topic) || may('audit:read')))
    .map((topic) => ({ channel: `/posthaste/events/${toChannelSegment(topic)}`, topic }));
  return may('callbacks:read') ? [callbacks, ...ofTopics] : ofTopics;
}
