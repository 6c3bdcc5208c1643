/**
 * Finds values in JSON text, to pass them on as they were written: with their white space, and with
 * every digit of their numbers. The text must be valid JSON, so parse it first. No function here
 * recurses, and each takes linear time.
 */

const quote = 0x22;
const comma = 0x2c;
const backslash = 0x5c;
const openBracket = 0x5b;
const closeBracket = 0x5d;
const openBrace = 0x7b;
const closeBrace = 0x7d;

/**
 * Returns the text of a member of an object, without the white space around it; `undefined` if the
 * text is no object, or the object has no such member. Of two members with one key, the last one
 * counts, as in `JSON.parse`.
 */
export function findJsonMember(text: string, key: string): string | undefined {
  let at = skipSpace(text, 0);
  if (text.charCodeAt(at) !== openBrace) return undefined;
  at = skipSpace(text, at + 1);
  let found: string | undefined;
  while (text.charCodeAt(at) === quote) {
    const keyEnd = skipString(text, at);
    // One more for the colon.
    const start = skipSpace(text, skipSpace(text, keyEnd) + 1);
    const end = skipValue(text, start);
    if (isKey(text.slice(at, keyEnd), key)) found = text.slice(start, end);
    at = skipComma(text, end);
  }
  return found;
}

/** Returns the texts of the items of a list, without the white space around them. */
export function jsonItems(text: string): string[] {
  const items: string[] = [];
  let at = skipSpace(text, 0);
  if (text.charCodeAt(at) !== openBracket) return items;
  at = skipSpace(text, at + 1);
  while (at < text.length && text.charCodeAt(at) !== closeBracket) {
    const end = skipValue(text, at);
    items.push(text.slice(at, end));
    at = skipComma(text, end);
  }
  return items;
}

/** True if the JSON string `quoted` is the key, which may be written with escapes. */
function isKey(quoted: string, key: string): boolean {
  return quoted.includes('\\')
    ? JSON.parse(quoted) === key
    : quoted.length === key.length + 2 && quoted.startsWith(key, 1);
}

function skipComma(text: string, at: number): number {
  const next = skipSpace(text, at);
  return text.charCodeAt(next) === comma ? skipSpace(text, next + 1) : next;
}

function skipSpace(text: string, at: number): number {
  let next = at;
  while (isSpace(text.charCodeAt(next))) next += 1;
  return next;
}

function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09;
}

function skipValue(text: string, at: number): number {
  const first = text.charCodeAt(at);
  if (first === quote) return skipString(text, at);
  if (first === openBrace || first === openBracket) return skipContainer(text, at);
  let end = at;
  while (end < text.length && !endsScalar(text.charCodeAt(end))) end += 1;
  return end;
}

function endsScalar(code: number): boolean {
  return code === comma || code === closeBrace || code === closeBracket || isSpace(code);
}

function skipContainer(text: string, start: number): number {
  let depth = 0;
  let at = start;
  do {
    const code = text.charCodeAt(at);
    if (code === openBrace || code === openBracket) depth += 1;
    else if (code === closeBrace || code === closeBracket) depth -= 1;
    at = code === quote ? skipString(text, at) : at + 1;
  } while (depth > 0 && at < text.length);
  return at;
}

function skipString(text: string, start: number): number {
  let end = text.indexOf('"', start + 1);
  while (isEscaped(text, end)) end = text.indexOf('"', end + 1);
  return end + 1;
}

/** True if an odd number of backslashes precedes. */
function isEscaped(text: string, at: number): boolean {
  let first = at;
  while (text.charCodeAt(first - 1) === backslash) first -= 1;
  return (at - first) % 2 === 1;
}
