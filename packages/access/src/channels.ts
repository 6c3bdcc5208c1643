import { includesChannel, parseChannel } from '@posthaste/contracts';
import type { Caller } from './caller.js';
import { grants } from './scopes.js';

/**
 * Realtime channels that somebody may use: paths, and patterns such as `/chat/*` for all channels
 * below one; `null` for all channels of their applications.
 */
export type Channels = readonly string[] | null;

/** True if the caller may publish to the channel, or subscribe to it or to all channels below it. */
export function mayUseChannel(
  { scopes, channels = null }: Pick<Caller, 'scopes' | 'channels'>,
  operation: 'publish' | 'subscribe',
  channel: string,
): boolean {
  return grants(scopes, `realtime:${operation}`) && coversChannels(channels, [channel]);
}

/** True if `held` has every channel of `wanted`: a pattern only if one of `held` includes all of it. */
export function coversChannels(held: Channels, wanted: Channels): boolean {
  if (held === null) return true;
  const patterns = held.map(parseChannel);
  return (
    wanted?.every((text) => {
      const channel = parseChannel(text);
      return (
        channel !== undefined &&
        patterns.some((pattern) => pattern !== undefined && includesChannel(pattern, channel))
      );
    }) ?? false
  );
}

/** Returns the channels that both have. */
export function commonChannels(a: Channels, b: Channels): Channels {
  if (a === null) return b;
  if (b === null) return a;
  const inA = b.filter((channel) => coversChannels(a, [channel]));
  const inB = a.filter((channel) => coversChannels(b, [channel]));
  return [...new Set([...inA, ...inB])];
}
