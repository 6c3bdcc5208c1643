import { hash } from 'node:crypto';
import { type Applications, PlatformError } from '@posthaste/contracts';

/** Scope and condition of a change. */
export interface ChangeCondition {
  /** Applications whose things the caller may change: those of others do not exist for it. */
  readonly within: Applications;
  /** Versions, one of which it must have: somebody else may have changed it. Default: any. */
  readonly ifMatch?: readonly string[] | undefined;
}

/** Returns the version of a row: the same text for the same values. 22 characters of base64url. */
export function versionOf(row: object): string {
  return hash('sha256', JSON.stringify(row), 'base64url').slice(0, 22);
}

/**
 * Checks that a thing still has the version that the caller read. Its row must be locked.
 * @throws PlatformError `PRECONDITION_FAILED`, with its present version as `details`
 */
export function checkVersion({ ifMatch }: ChangeCondition, thing: string, version: string): void {
  if (ifMatch === undefined || ifMatch.includes(version)) return;
  const message = `${thing} was changed since it was read; get it again, and repeat the change with its ETag`;
  throw new PlatformError('PRECONDITION_FAILED', message, { details: { version } });
}
