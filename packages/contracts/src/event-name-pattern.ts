/**
 * A pattern of event names, which subscriptions and filters of the event log have.
 *
 * An event's name has segments with dots between them, such as `order.item.added`. The name of an
 * event that came as a CloudEvent is its `type`, which may have any characters. A pattern has
 * segments too, where `*` matches any one segment, and `**`, allowed only as the last segment, any
 * one or more:
 *
 * | pattern         | matches                              | does not match           |
 * |-----------------|--------------------------------------|--------------------------|
 * | `order.created` | `order.created`                      | `order.created.late`     |
 * | `order.*`       | `order.created`                      | `order`, `order.item.new`|
 * | `*.created`     | `order.created`                      | `a.order.created`        |
 * | `order.**`      | `order.created`, `order.item.new`    | `order`                  |
 * | `**`            | everything                           |                          |
 * | `/shop/新.*`    | `/shop/新.order`                     | `/shop/新`               |
 *
 * Names are compared letter for letter, including case. A segment may be empty (`a..b`), and all
 * characters but `*` and control characters stand for themselves. A `*` inside a longer segment is
 * refused, because it would not match what it seems to; a name that has one there is matched by `*`
 * in the place of that segment.
 *
 * Subscriptions to the platform's own events about callbacks and endpoints need a pattern whose
 * first segment is no wildcard, such as `callback.*`: a subscription to `**` is for the events of
 * publishers, not for three more about the delivery of each. platform-events.ts has their names.
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

/** Types of CloudEvents are often URIs, which are longer than names. */
const maxPatternLength = 1_024;
const oneSegment = '*';
const manySegments = '**';
const anySegment = '[^.]*';
const openEnd = '[^.]*([.][^.]*)*';
const controlCharacter = /\p{Cc}/u;
/** Characters with a meaning in regular expressions, of POSIX or of JavaScript. */
const specialCharacter = /[\\^$.*+?()[\]{}|]/g;

/** Returns the fault of a pattern, for people; `undefined` when it is valid. */
export function eventPatternFault(text: string): string | undefined {
  if (text === '') return 'is empty; ** matches every event';
  if (text.length > maxPatternLength) return `is longer than ${maxPatternLength} characters`;
  if (controlCharacter.test(text)) return 'contains a control character';
  if (!text.isWellFormed()) return 'contains half of a surrogate pair';
  const { segments } = toEventPattern(text);
  if (segments.includes(manySegments)) return 'has ** before its last segment';
  const isPart = (segment: string): boolean => segment !== oneSegment && segment.includes('*');
  if (!segments.some(isPart)) return undefined;
  return 'has * inside a segment; it stands for a whole segment, as in order.*';
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
 * Returns a regular expression, of POSIX (with the advanced forms of Postgres or without) and of
 * JavaScript, that exactly the names match which the pattern matches. For databases.
 */
export function toEventNameRegExp({ segments, hasOpenEnd }: EventPattern): string {
  const parts = segments.map((segment) =>
    segment === oneSegment ? anySegment : segment.replace(specialCharacter, '\\$&'),
  );
  return `^${[...parts, ...(hasOpenEnd ? [openEnd] : [])].join('[.]')}$`;
}
