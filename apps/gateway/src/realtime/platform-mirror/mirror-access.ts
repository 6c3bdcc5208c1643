import { type Caller, mayBeShown, type Rights, type Scope } from '@posthaste/access';
import { PlatformError, parseChannel } from '@posthaste/contracts';
import { mirrorNamespace, parseMirrorChannel } from './mirror-channels.js';

/** Returns the first of the scopes that keeps the caller from seeing it in one of the applications. */
export function findHidden(
  caller: Caller | undefined,
  { applications, scopes }: Rights,
): Scope | undefined {
  if (caller === undefined) return scopes[0];
  return scopes.find((scope) => !mayBeShown(caller, { applications, scopes: [scope] }));
}

/**
 * Checks that the maker of a token may see what the platform shows in its channels.
 * @throws PlatformError `SCOPE_MISSING`
 */
export function checkMirrored(
  caller: Caller,
  {
    applications,
    channels,
  }: Pick<Rights, 'applications'> & { readonly channels: readonly string[] },
): void {
  for (const channel of channels) {
    const segments = parseChannel(channel)?.segments ?? [];
    if (segments[0] !== mirrorNamespace) continue;
    const { scopes = [] } = parseMirrorChannel(segments) ?? {};
    const needed = findHidden(caller, { applications, scopes });
    if (needed === undefined) continue;
    throw new PlatformError(
      'SCOPE_MISSING',
      `the token would show ${channel}, which needs the scope ${needed}`,
      { details: { needed, held: caller.scopes } },
    );
  }
}
