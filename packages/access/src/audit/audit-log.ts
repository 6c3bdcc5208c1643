import {
  type Applications,
  eventPatternFault,
  PlatformError,
  parseId,
  toEventNameRegExp,
  toEventPattern,
} from '@posthaste/contracts';
import type { Queryable } from '@posthaste/postgres';
import { type AuditConditions, scanEntries } from './audit-scan.js';
import type { AuditEntry } from './change.js';

/** Entries to list. An entry must match every member that is given. */
export interface AuditQuery extends AuditConditions {
  /** Applications whose entries are listed; `all` has those of no application too. */
  readonly within: Applications;
  /** Pattern of the action, as those of event names: `endpoint.*`. */
  readonly action?: string | undefined;
  /** Earliest time. */
  readonly since?: Date | undefined;
  /** Time after the latest. */
  readonly until?: Date | undefined;
  /** Most entries of the page. */
  readonly limit: number;
  /** `next` of the page before. Default: the first page. */
  readonly cursor?: string | undefined;
}

/** Page of entries. It may have few or none, and still be followed by others. */
export interface AuditPage {
  readonly items: readonly AuditEntry[];
  /** Cursor of the next page; `undefined` on the last one. */
  readonly next: string | undefined;
}

/** Most entries that are read for a page, matching or not. */
const maxScanned = 10_000;

/**
 * Lists entries of the audit log, the newest first.
 * @throws PlatformError `REQUEST_INVALID` for the pattern or the cursor; `DATABASE_*`
 */
export async function listAuditEntries(db: Queryable, query: AuditQuery): Promise<AuditPage> {
  const { limit, cursor, action, ...conditions } = query;
  const { entries, last, isCut } = await scanEntries(db, {
    ...conditions,
    action: action === undefined ? undefined : toActionRegExp(action),
    before: cursor === undefined ? undefined : parseCursor(cursor),
    maxMatches: limit + 1,
    maxScanned,
  });
  const items = entries.slice(0, limit);
  const end = entries.length > limit ? items.at(-1)?.id : undefined;
  return { items, next: end ?? (isCut ? last : undefined) };
}

function toActionRegExp(pattern: string): string {
  const fault = eventPatternFault(pattern);
  if (fault === undefined) return toEventNameRegExp(toEventPattern(pattern));
  throw new PlatformError('REQUEST_INVALID', `action: ${fault}`, {
    details: [{ field: 'action', message: fault }],
  });
}

function parseCursor(cursor: string): string {
  const id = parseId(cursor);
  if (id !== undefined) return id;
  throw new PlatformError('REQUEST_INVALID', 'the cursor is not one that a page gave');
}
