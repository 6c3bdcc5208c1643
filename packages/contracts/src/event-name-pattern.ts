/**
 * A pattern of event names, which subscriptions and filters of the event log have.
 *
 * An event's name has segments with dots between them, such as `order.item.added`. So has a
 * pattern, where `*` matches any one segment, and `**`, allowed only as the last segment, any one
 * or more:
 *
 * | pattern         | matches                              | does not match           |
 * |-----------------|--------------------------------------|--------------------------|
 * | `order.created` | `order.created`                      | `order.created.late`     |
 * | `order.*`       | `order.created`                      | `order`, `order.item.new`|
 * | `*.created`     | `order.created`                      | `a.order.created`        |
 * | `order.**`      | `order.created`, `order.item.new`    | `order`                  |
 * | `**`            | everything                           |                          |
 *
 * Names are compared letter for letter, including case. Subscriptions to the platform's own events
 * about callbacks and endpoints need a pattern whose first segment is no wildcard, such as
 * `callback.*`: a subscription to `**` is for the events of publishers, not for three more about the
 * delivery of each.
 */
export interface EventPattern {
  /** The only name it matches, if it has no wildcard. */
  readonly exactName: string | undefined;
  /** Its segments, without a `**` at the end. */
  readonly segments: readonly string[];
  /** True if it ends in `**`. */
  readonly hasOpenEnd: boolean;
  /** True if its first segment is no wildcard. */
  readonly startsWithWord: boolean;
}

const maxPatternLength = 256;
const oneSegment = '*';
const manySegments = '**';
const anySegment = '[^.]+';
const openEnd = '[^.]+([.][^.]+)*';
const plainSegment = /^[A-Za-z0-9'_-]+$/;

/** Returns the fault of a pattern, for people; `undefined` when it is valid. */
export function eventPatternFault(text: string): string | undefined {
  if (text === '') return 'is empty; ** matches every event';
  if (text.length > maxPatternLength) return `is longer than ${maxPatternLength} characters`;
  const segments = text.split('.');
  const wrong = segments.find((segment, i) => {
    if (segment === manySegments) return i < segments.length - 1;
    return segment !== oneSegment && !plainSegment.test(segment);
  });
  if (wrong === undefined) return undefined;
  if (wrong === manySegments) return 'has ** before its last segment';
  if (wrong === '') return 'has an empty segment';
  return "has a segment that is not *, ** or a text of letters, digits, ', _ and -";
}

/** Converts the text of a valid pattern. */
export function toEventPattern(text: string): EventPattern {
  const segments = text.split('.');
  const hasOpenEnd = segments.at(-1) === manySegments;
  if (hasOpenEnd) segments.pop();
  const exactName = hasOpenEnd || segments.includes(oneSegment) ? undefined : text;
  const startsWithWord = segments[0] !== undefined && segments[0] !== oneSegment;
  return { exactName, segments, hasOpenEnd, startsWithWord };
}

/** True if a name, given as its segments, matches the pattern. */
export function matchesEventName(pattern: EventPattern, nameSegments: readonly string[]): boolean {
  const { segments, hasOpenEnd } = pattern;
  const excess = nameSegments.length - segments.length;
  if (hasOpenEnd ? excess < 1 : excess !== 0) return false;
  return segments.every((segment, i) => segment === oneSegment || segment === nameSegments[i]);
}

/**
 * Returns a regular expression, of POSIX and of JavaScript, that exactly the names match which the
 * pattern matches. For databases.
 */
export function toEventNameRegExp({ segments, hasOpenEnd }: EventPattern): string {
  const parts = segments.map((segment) => (segment === oneSegment ? anySegment : segment));
  // Plain segments have no letter with a meaning in regular expressions.
  return `^${[...parts, ...(hasOpenEnd ? [openEnd] : [])].join('[.]')}$`;
}
