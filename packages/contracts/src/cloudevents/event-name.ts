/** Names of events and namespaces in the envelope. */

const maxNameLength = 256;

/** A separator must be followed by a letter or digit, so the pattern cannot backtrack. */
const namePattern = /^[A-Za-z0-9]+(?:['_.-][A-Za-z0-9]+)*$/;

/** Name of an event whose type has no letter and no digit that a name may have. */
const fallbackName = 'cloudevent';

/**
 * True if the text can be the name or namespace of an event: 1 to 256 letters and digits, with a
 * single `'`, `_`, `.` or `-` between them.
 */
export function isEventName(text: string): boolean {
  return text.length <= maxNameLength && namePattern.test(text);
}

/**
 * Returns the name that the envelope of a CloudEvent has. A type that is a valid name is the name.
 * Of any other, each run of characters that a name cannot have at that place becomes one `-`, those
 * at the start and end are left out, and the name ends after 256 characters: `/a b/事件.c` becomes
 * `a-b-c`. If nothing is left, the name is `cloudevent`.
 */
export function toEventName(type: string): string {
  if (isEventName(type)) return type;
  const name = type
    .replace(/[^A-Za-z0-9]+/g, (run) => (/^['_.-]$/.test(run) ? run : '-'))
    .replace(/^['_.-]/, '')
    .slice(0, maxNameLength)
    .replace(/['_.-]$/, '');
  return name === '' ? fallbackName : name;
}
