/**
 * Which events a subscription asks for, by name.
 *
 * An event's name is segments between dots, such as `order.item.added`. A pattern is the same, with
 * `*` for any one segment and, in the last place only, `**` for any one or more:
 *
 * | pattern         | matches                              | does not match           |
 * |-----------------|--------------------------------------|--------------------------|
 * | `order.created` | `order.created`                      | `order.created.late`     |
 * | `order.*`       | `order.created`                      | `order`, `order.item.new`|
 * | `*.created`     | `order.created`                      | `a.order.created`        |
 * | `order.**`      | `order.created`, `order.item.new`    | `order`                  |
 * | `**`            | everything                           |                          |
 *
 * Names are compared letter for letter, case included. What the platform itself tells of callbacks
 * and endpoints is meant only by patterns that begin with its first segment, such as `callback.*`:
 * whoever asks for `**` wants the events of others, and not three more about the delivery of each.
 */
export interface EventPattern {
  /** The one name it matches, when it has no star. */
  readonly exactName: string | undefined;
  readonly segments: readonly string[];
  /** Whether it ends in `**`, which is not among the segments. */
  readonly open: boolean;
  /** Whether its first segment is a word, and no star. */
  readonly named: boolean;
}

const maxPatternLength = 256;
const oneSegment = '*';
const manySegments = '**';
const plainSegment = /^[A-Za-z0-9'_-]+$/;

/** What is wrong with a pattern, for people; `undefined` when nothing is. */
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
  return "has a segment that is neither *, ** nor of letters, digits, ', _ and -";
}

/** A pattern without faults, taken apart. */
export function toEventPattern(text: string): EventPattern {
  const segments = text.split('.');
  const open = segments.at(-1) === manySegments;
  if (open) segments.pop();
  const exactName = open || segments.includes(oneSegment) ? undefined : text;
  const named = segments[0] !== undefined && segments[0] !== oneSegment;
  return { exactName, segments, open, named };
}

/** Whether a name, given as its segments, is what the pattern asks for. */
export function matchesEventName(pattern: EventPattern, nameSegments: readonly string[]): boolean {
  const { segments, open } = pattern;
  const longer = nameSegments.length - segments.length;
  if (open ? longer < 1 : longer !== 0) return false;
  return segments.every((segment, i) => segment === oneSegment || segment === nameSegments[i]);
}
