import { sha256 } from './sha256.js';

/** A channel, or the channels below one, in normalised form. */
export interface ChannelPath {
  /** `/default/room`, or `/default/*` for all channels below `/default`, at every depth. */
  readonly path: string;
  /** Parts of the path; the first is the namespace. Ends with `*` for a wildcard. */
  readonly segments: readonly [string, ...string[]];
  readonly isWildcard: boolean;
}

const segment = '[A-Za-z0-9](?:[A-Za-z0-9-]{0,48}[A-Za-z0-9])?';
/** Regular expression of the paths, and patterns of paths, of realtime channels, in normalised form. */
export const channelPatternSource: string = `^/${segment}(?:(?:/${segment}){0,4}|(?:/${segment}){0,3}/\\*)$`;
const channelPattern = new RegExp(`^/?${segment}(?:/${segment}){0,4}/?$`);
const segmentPattern = new RegExp(`^${segment}$`);
const wildcardPattern = new RegExp(`^/?${segment}(?:/${segment}){0,3}/\\*$`);

/**
 * Parses the path of a channel: 1 to 5 segments of 1 to 50 characters, letters, digits and inner
 * dashes. A slash at the start or end is optional. Returns undefined for anything else.
 */
export function parseChannel(text: string): ChannelPath | undefined {
  const isWildcard = text.endsWith('/*');
  if (!(isWildcard ? wildcardPattern : channelPattern).test(text)) return undefined;
  const segments = text.split('/').filter((part) => part !== '');
  const [first, ...others] = segments;
  if (first === undefined) return undefined;
  return { path: `/${segments.join('/')}`, segments: [first, ...others], isWildcard };
}

/** True if the pattern is the channel itself, or a wildcard above it. */
export function includesChannel(pattern: ChannelPath, channel: ChannelPath): boolean {
  if (pattern.path === channel.path) return true;
  return pattern.isWildcard && channel.path.startsWith(pattern.path.slice(0, -1));
}

/**
 * Returns the segment that stands for a name in the path of a channel, such as the name of a topic:
 * the name itself, or `x-` and the first 32 hexadecimal digits of its SHA-256 if it is no segment.
 */
export function toChannelSegment(name: string): string {
  return segmentPattern.test(name) ? name : `x-${sha256(name).slice(0, 32)}`;
}
