/** Longest local path that is accepted, in characters. */
const maxLength = 2_000;
/** Only its origin is compared: the path is never sent there. */
const base = 'http://local.invalid';

/**
 * Returns a path of this server as a browser understands it, or `undefined` for anything that leads
 * elsewhere, such as `//evil.example`, `/\evil.example` or `/.//evil.example`.
 */
export function toLocalPath(text: string): string | undefined {
  if (text.length > maxLength || !/^\/[\x21-\x7e]*$/.test(text)) return undefined;
  if (!URL.canParse(text, base)) return undefined;
  const url = new URL(text, base);
  if (url.origin !== base || url.pathname.startsWith('//')) return undefined;
  return url.pathname + url.search + url.hash;
}
