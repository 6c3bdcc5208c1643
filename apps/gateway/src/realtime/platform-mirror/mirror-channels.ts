import type { Scope } from '@posthaste/access';
import {
  type ChannelPath,
  callbackEventTopic,
  parseChannel,
  toChannelSegment,
} from '@posthaste/contracts';
import { isDeadLetterTopic, isRetryTopic } from '@posthaste/eventstream';

/*
 * Channels on which the platform mirrors its events, each in the application of the event:
 *
 * | channel                            | events                                             |
 * | ---------------------------------- | -------------------------------------------------- |
 * | `/posthaste/callbacks`             | changes of callbacks: `callback.*`                 |
 * | `/posthaste/events/<topic>`        | all of a topic                                     |
 * | `/posthaste/events/<topic>/<name>` | one name; `*` after the topic: all names           |
 * | `/posthaste/events/*`              | all topics but those of retries and dead letters   |
 * | `/posthaste/*`                     | the same                                           |
 *
 * A wildcard gets each event once, as that of `/posthaste/events/<topic>/<name>`. A topic or name that
 * is no segment is replaced as `toChannelSegment` says.
 */

/** Namespace of the mirror. Only the platform publishes in it. */
export const mirrorNamespace = 'posthaste';
/** Number of segments of `/posthaste/events/<topic>`. */
const topicDepth = 3;

/** Channel of the mirror that somebody asks for. */
export interface MirrorChannel {
  /** Segment of the topic; undefined for all topics. */
  readonly topic: string | undefined;
  /** Scopes of which the reader needs all. */
  readonly scopes: readonly Scope[];
}

/** Channel that an event is mirrored on. */
export interface MirrorTarget {
  readonly channel: ChannelPath;
  /** Least number of segments before the `*` of wildcards that get it. */
  readonly wildcardDepth: number;
}

/** Parses a path in the namespace of the mirror. Returns undefined for one that never has events. */
export function parseMirrorChannel(segments: readonly string[]): MirrorChannel | undefined {
  const [, kind, topic, , ...more] = segments;
  if (kind === '*') return { topic: undefined, scopes: ['events:read', 'callbacks:read'] };
  if (kind === 'callbacks' && topic === undefined) {
    return { topic: callbackEventTopic, scopes: ['callbacks:read'] };
  }
  if (kind !== 'events' || topic === undefined || more.length > 0) return undefined;
  if (topic === '*') return { topic: undefined, scopes: ['events:read'] };
  return { topic, scopes: topic === 'audit' ? ['events:read', 'audit:read'] : ['events:read'] };
}

/** Returns the channels of an event. */
export function toMirrorTargets(topic: string, name: string): MirrorTarget[] {
  const ofTopic = `/${mirrorNamespace}/events/${toChannelSegment(topic)}`;
  const isCallback = topic === callbackEventTopic && name.startsWith('callback.');
  return [
    ...toTarget(`${ofTopic}/${toChannelSegment(name)}`, isDerivedTopic(topic) ? topicDepth : 1),
    ...toTarget(ofTopic, Number.POSITIVE_INFINITY),
    ...(isCallback ? toTarget(`/${mirrorNamespace}/callbacks`, Number.POSITIVE_INFINITY) : []),
  ];
}

/** True if the topic repeats events of another one: those of retries and dead letters. */
export function isDerivedTopic(topic: string): boolean {
  return isRetryTopic(topic) || isDeadLetterTopic(topic);
}

function toTarget(path: string, wildcardDepth: number): MirrorTarget[] {
  const channel = parseChannel(path);
  return channel === undefined ? [] : [{ channel, wildcardDepth }];
}
