import type { Caller } from '@posthaste/access';
import { parseChannel, toChannelSegment } from '@posthaste/contracts';
import { isAuditTopic, mayReadAudit } from '../access/audit-events.js';
import { findHidden } from './platform-mirror/mirror-access.js';
import { mirrorNamespace, parseMirrorChannel } from './platform-mirror/mirror-channels.js';

/** Channel on which the platform mirrors events of a topic. */
export interface MirroredChannel {
  readonly channel: string;
  /** Name of the topic, as publishers and subscriptions use it. */
  readonly topic: string;
}

/** Caller and the application whose channels it asks for. */
export interface MirrorReader {
  readonly caller: Caller;
  readonly application: string;
}

/** Lists the channels that a caller may subscribe to, of these topics and of callbacks. */
export function listMirroredChannels(
  topics: readonly string[],
  { caller, application }: MirrorReader,
): MirroredChannel[] {
  const applications = [application];
  const all = [
    { channel: `/${mirrorNamespace}/callbacks`, topic: 'callbacks' },
    ...topics.map((topic) => ({
      channel: `/${mirrorNamespace}/events/${toChannelSegment(topic)}`,
      topic,
    })),
  ];
  return all.filter(({ channel, topic }) => {
    const found = parseMirrorChannel(parseChannel(channel)?.segments ?? []);
    if (found === undefined) return false;
    if (isAuditTopic(topic) && !mayReadAudit({ caller, applications })) return false;
    return findHidden(caller, { applications, scopes: found.scopes }) === undefined;
  });
}
