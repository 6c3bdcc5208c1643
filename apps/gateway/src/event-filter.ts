import { requestInvalid } from '@posthaste/callbacks';
import type { EventQuery } from '@posthaste/eventstream';

/** Which events of a topic, as queries and bodies have it: moments are RFC 3339. */
export interface EventFilter {
  readonly name?: string;
  readonly key?: string;
  readonly since?: string;
  readonly until?: string;
}

/**
 * The filter as the log takes it.
 * @throws PlatformError `REQUEST_INVALID` for moments that are well-formed and still none
 */
export function toEventFilter({
  name,
  key,
  since,
  until,
}: EventFilter): Pick<EventQuery, 'name' | 'key' | 'since' | 'until'> {
  return {
    name,
    key: key === undefined ? undefined : Buffer.from(key),
    since: since === undefined ? undefined : toDate('since', since),
    until: until === undefined ? undefined : toDate('until', until),
  };
}

/** RFC 3339 has leap seconds, and years before those that the database counts; the log has not. */
function toDate(field: string, moment: string): Date {
  const date = new Date(moment);
  if (date.getTime() >= 0) return date;
  throw requestInvalid([{ field, message: 'is not a time after 1970' }]);
}
