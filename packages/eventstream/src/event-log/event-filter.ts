import { eventPatternFault, PlatformError } from '@posthaste/contracts';
import type { EventQuery } from '../drivers/postgres/read/event-pages.js';

/** Filter of the events of a topic, as JSON. Moments are RFC 3339 text. Default: all events. */
export interface EventFilter {
  /** Only events of this name, or of the names that match this pattern: `order.*`, `order.**`. */
  readonly name?: string;
  /** Only events of this key. */
  readonly key?: string;
  /** Only events appended at this moment or later. */
  readonly since?: string;
  /** Only events appended before this moment. */
  readonly until?: string;
}

/**
 * Parses a filter into the form that the log takes.
 * @throws PlatformError `REQUEST_INVALID` with `[{ field, message }]` in `details` for a moment that
 *   is not after 1970, or a pattern that is not one
 */
export function parseEventFilter({
  name,
  key,
  since,
  until,
}: EventFilter): Pick<EventQuery, 'name' | 'key' | 'since' | 'until'> {
  return {
    name: name?.includes('*') ? checkPattern(name) : name,
    key: key === undefined ? undefined : Buffer.from(key),
    since: since === undefined ? undefined : parseMoment('since', since),
    until: until === undefined ? undefined : parseMoment('until', until),
  };
}

function checkPattern(name: string): string {
  const message = eventPatternFault(name);
  if (message === undefined) return name;
  throw new PlatformError('REQUEST_INVALID', `name ${message}`, {
    details: [{ field: 'name', message }],
  });
}

/** RFC 3339 has leap seconds, and years that the log cannot store. */
function parseMoment(field: string, moment: string): Date {
  const date = new Date(moment);
  if (date.getTime() >= 0) return date;
  const message = 'is not a time after 1970';
  throw new PlatformError('REQUEST_INVALID', `${field} ${message}`, {
    details: [{ field, message }],
  });
}
