import { PlatformError } from '@posthaste/contracts';
import type { Identity } from '../auth/authorizer.js';
import type { HandlerContext } from './namespace.js';

/** Value that can be a segment of a channel. A claim `*` must not match a wildcard. */
const segmentPattern = /^[A-Za-z0-9](?:[A-Za-z0-9-]{0,48}[A-Za-z0-9])?$/;
const maxSegments = 5;
const claimPattern = /^\{([A-Za-z0-9_:.-]{1,100})\}$/;

/** Rule about the channel of an operation. Denies by a throw of `context.unauthorized()`. */
export type ChannelRule = (context: HandlerContext) => void;

/**
 * Creates a rule that lets principals use their own channels only: a handler `onSubscribe` as it is,
 * and the first line of an `onPublish`.
 *
 * A pattern such as `/user/{sub}/*` is compared segment by segment. `{sub}` is the id of the
 * principal, other names are claims of its token or keys of its `handlerContext`. `*` at the end is
 * any channel below, and any wildcard below. A wildcard that spans the segment of another principal
 * is denied, such as `/user/*`.
 *
 * @throws PlatformError `OPTION_INVALID` for a pattern that no channel can match
 */
export function allowOwn(pattern: string): ChannelRule {
  const fault = ownPatternFault(pattern);
  if (fault !== undefined) throw new PlatformError('OPTION_INVALID', `'${pattern}' ${fault}`);
  const { fixed, isOpen } = parsePattern(pattern);
  return (context) => {
    const { segments } = context.info.channel;
    const isDeepEnough = isOpen ? segments.length > fixed.length : segments.length === fixed.length;
    const isOwn = fixed.every(
      (part, index) => segments[index] === segmentFor(part, context.identity),
    );
    if (!isDeepEnough || !isOwn) context.unauthorized();
  };
}

/** Returns the fault of a pattern of `allowOwn`, for people; undefined if it can be used. */
export function ownPatternFault(pattern: unknown): string | undefined {
  const { fixed, isOpen } = parsePattern(typeof pattern === 'string' ? pattern : '');
  const isValid = fixed.every((part) => segmentPattern.test(part) || claimPattern.test(part));
  const length = fixed.length + Number(isOpen);
  if (isValid && fixed.length > 0 && length <= maxSegments) return undefined;
  return 'is no pattern of channels; write it as /user/{sub}/*';
}

function parsePattern(pattern: string): { readonly fixed: string[]; readonly isOpen: boolean } {
  const parts = pattern.replace(/^\//, '').split('/');
  const isOpen = parts.at(-1) === '*';
  return { fixed: isOpen ? parts.slice(0, -1) : parts, isOpen };
}

/** Returns the segment that a part of a pattern stands for; undefined if the principal has none. */
function segmentFor(part: string, identity: Identity): string | undefined {
  const name = claimPattern.exec(part)?.[1];
  if (name === undefined) return part;
  const value = name === 'sub' ? identity.id : claimOf(identity, name);
  return typeof value === 'string' && segmentPattern.test(value) ? value : undefined;
}

function claimOf({ claims, handlerContext }: Identity, name: string): unknown {
  if (claims !== undefined && Object.hasOwn(claims, name)) return claims[name];
  if (handlerContext !== undefined && Object.hasOwn(handlerContext, name)) {
    return handlerContext[name];
  }
  return undefined;
}
