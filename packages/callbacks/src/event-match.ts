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
 * Names are compared letter for letter, case included.
 */
export interface EventPattern {
  /** The one name it matches, when it has no star. */
  readonly exactName: string | undefined;
  readonly segments: readonly string[];
  /** Whether it ends in `**`, which is not among the segments. */
  readonly open: boolean;
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
  return { exactName, segments, open };
}

/** Whether a name, given as its segments, is what the pattern asks for. */
export function matchesEventName(pattern: EventPattern, nameSegments: readonly string[]): boolean {
  const { segments, open } = pattern;
  const longer = nameSegments.length - segments.length;
  if (open ? longer < 1 : longer !== 0) return false;
  return segments.every((segment, i) => segment === oneSegment || segment === nameSegments[i]);
}
