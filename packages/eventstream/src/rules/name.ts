/**
 * Letters and digits, with one of `'` `_` `.` `-` between them. Each separator must be followed by
 * a letter or digit, so there is one way only to match a text and none to backtrack into.
 */
const namePattern = /^[A-Za-z0-9]+(?:['_.-][A-Za-z0-9]+)*$/;

const maxNameLength = 256;

/** For `details.reason` of a name that is none. */
export const nameRule =
  "must be 1 to 256 letters and digits, with a single ' _ . or - between them";

/** Whether it is the name of a topic, an event, a namespace or a group (spec, section 2). */
export function isName(value: unknown): value is string {
  return typeof value === 'string' && value.length <= maxNameLength && namePattern.test(value);
}
