/** Names of events and namespaces in the envelope. */

const maxNameLength = 256;

/**
 * Pattern of the name of an event, a topic or a namespace, of at most 256 characters. A separator must
 * be followed by a letter or digit, so the pattern cannot backtrack.
 */
export const eventNamePattern: RegExp = /^[A-Za-z0-9]+(?:['_.-][A-Za-z0-9]+)*$/;

/** Matches the runs of a type that a name may have: letters and digits, or one separator. */
const isKept = /^(?:[A-Za-z0-9]|['_.-]$)/;

/** Name of an event whose type has no letter and no digit that a name may have. */
const fallbackName = 'cloudevent';

/**
 * True if the text can be the name or namespace of an event: 1 to 256 letters and digits, with a
 * single `'`, `_`, `.` or `-` between them.
 */
export function isEventName(text: string): boolean {
  return text.length <= maxNameLength && eventNamePattern.test(text);
}

/**
 * Returns the name that the envelope of a CloudEvent has. A type that is a valid name is the name.
 * Of any other, each run of characters that a name cannot have at that place becomes one `-`, those
 * at the start and end are left out, and the name ends after 256 characters: `/a b/事件.c` becomes
 * `a-b-c`. If nothing is left, the name is `cloudevent`.
 */
export function toEventName(type: string): string {
  if (isEventName(type)) return type;
  // A type may have a million characters, and few of them are the name.
  let start = '';
  for (const [run] of type.matchAll(/[A-Za-z0-9]+|[^A-Za-z0-9]+/g)) {
    start += isKept.test(run) ? run : '-';
    if (start.length > maxNameLength) break;
  }
  const name = start
    .replace(/^['_.-]/, '')
    .slice(0, maxNameLength)
    .replace(/['_.-]$/, '');
  return name === '' ? fallbackName : name;
}
