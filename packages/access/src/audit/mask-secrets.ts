import { JsonNumber } from '@posthaste/contracts';

/** Text in the place of a secret. */
export const secretMask = '***';

/** Most characters of a text that are kept. The rest of a longer text is replaced by `…`. */
const maxTextLength = 2_048;
/** Deepest nesting that is kept. */
const maxDepth = 32;

/**
 * Names of members that hold secrets, whatever they look like. `secretKind` and `secretVersion` say
 * something about a secret, and `public…` is none.
 */
const secretName =
  /^(?!public).*(?:secret(?!kind|version|name)|token|passw(?:or)?d|passphrase|authorization|cookie|credential|signature|api[-_]?key|(?:private|signing|encryption|access)[-_]?key)/i;

/** Names of members whose members are headers: any of them may be a credential. */
const headersName = /headers$/i;

/** Secrets in texts, by the form in which the platform and others write them. */
const secretForms: readonly RegExp[] = [
  // Signing secrets, symmetric and private.
  /wh(?:sec|sk)_[\w+/=-]+/g,
  // API keys, sessions and tokens of the platform.
  /\bph[a-z]{1,3}_[\w-]{16,}/g,
  /(?<=\b(?:bearer|basic|digest|token)[ \t])[\w+/=.~-]{8,}/gi,
  // JSON web tokens.
  /\beyJ[\w-]+\.[\w-]+(?:\.[\w-]*)?/g,
  /-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----[\s\S]*/g,
];

/** A URL in a text. Its scheme is bounded, so that the search takes linear time. */
const urlForm = /\b([a-z][a-z0-9+.-]{0,20}:\/\/)([^\s"'<>]*)/gi;

/**
 * Returns the value with masks for its secrets. It is the one place that decides what a secret is for
 * the audit log, and rather masks too much:
 *
 * - members with the name of a secret (`secret`, `token`, `password` …), and all headers;
 * - in texts: signing secrets, keys and tokens, private keys, and the query, the fragment and the
 *   user of URLs.
 *
 * Texts are cut to 2,048 characters, and what is nested deeper than 32 levels is masked.
 */
export function maskSecrets(value: unknown): unknown {
  return mask(value, 0);
}

function mask(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return maskText(value);
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof JsonNumber) return value;
  if (value instanceof Date) return value.toISOString();
  if (depth === maxDepth || ArrayBuffer.isView(value)) return secretMask;
  if (Array.isArray(value)) return value.map((item) => mask(item, depth + 1));
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [
      maskText(name),
      maskMember(name, member, depth + 1),
    ]),
  );
}

function maskMember(name: string, value: unknown, depth: number): unknown {
  if (secretName.test(name)) return maskAll(value);
  if (headersName.test(name) && isObject(value)) {
    return Object.fromEntries(
      Object.entries(value).map(([header, text]) => [maskText(header), maskAll(text)]),
    );
  }
  return mask(value, depth);
}

/** Masks a value as a whole. What is missing is shown as that. */
function maskAll(value: unknown): unknown {
  return value === null || value === undefined || typeof value === 'boolean' ? value : secretMask;
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function maskText(text: string): string {
  const kept = text.length > maxTextLength ? `${text.slice(0, maxTextLength)}…` : text;
  let masked = kept.replace(
    urlForm,
    (_url, scheme: string, rest: string) => scheme + maskUrl(rest),
  );
  for (const form of secretForms) masked = masked.replace(form, secretMask);
  // Postgres stores neither, and neither is part of a name or an address.
  return masked.replaceAll('\0', '').toWellFormed();
}

/** Masks the user, the query and the fragment of a URL, of which `rest` is what follows the scheme. */
function maskUrl(rest: string): string {
  const end = rest.search(/[?#]/);
  const address = end === -1 ? rest : `${rest.slice(0, end)}${rest[end]}${secretMask}`;
  const slash = address.indexOf('/');
  const at = address.lastIndexOf('@', slash === -1 ? undefined : slash);
  return at === -1 ? address : `${secretMask}${address.slice(at)}`;
}
