import type { IncomingMessage } from 'node:http';
import { isJsonObject } from '@posthaste/contracts';
import { RealtimeError } from '../protocol/realtime-error.js';
import type { AuthClient } from './authorizer.js';

/** Headers of a credential. Names are in lower case. */
export type AuthHeaders = Readonly<Record<string, string>>;

/** The one subprotocol that is ever selected: the `header-…` entry holds credentials. */
export const eventSubprotocol = 'aws-appsync-event-ws';

const entryPrefix = 'header-';
const decoder = new TextDecoder('utf-8', { fatal: true });
/** Characters of base64 and base64url, padded or not. */
const base64Pattern = /^[A-Za-z0-9+/_-]+={0,2}$/;
/** Headers that are a credential, or belong to one. They come from one source only. */
const credentialHeaders: ReadonlySet<string> = new Set([
  'authorization',
  'x-api-key',
  'x-amz-date',
  'x-amz-security-token',
]);
/** Headers of the upgrade that nobody behind it needs; some hold credentials. */
const upgradeHeaders: ReadonlySet<string> = new Set([
  'connection',
  'cookie',
  'sec-websocket-extensions',
  'sec-websocket-key',
  'sec-websocket-protocol',
  'sec-websocket-version',
  'upgrade',
]);

/** True if the client offers `aws-appsync-event-ws` among the subprotocols of its upgrade. */
export function offersEventSubprotocol(request: Pick<IncomingMessage, 'headers'>): boolean {
  return subprotocolsOf(request).includes(eventSubprotocol);
}

/**
 * Reads the credentials of an upgrade. They come from the `header-…` entry of the subprotocols, from
 * the query parameter `header`, or from the HTTP headers; the first of these that has a credential
 * is used. Other headers of all three are added.
 *
 * @throws RealtimeError `BadRequestException` if an entry is no JSON object in base64
 */
export function readConnectHeaders(request: Pick<IncomingMessage, 'headers' | 'url'>): AuthHeaders {
  const entry = subprotocolsOf(request).find((each) => each.startsWith(entryPrefix));
  const query = headerParameter(request.url ?? '');
  const sources = [
    entry === undefined ? {} : decodeObject(entry.slice(entryPrefix.length)),
    query === undefined ? {} : decodeObject(query),
    toHttpAuthHeaders(request),
  ];
  const used = sources.find(hasCredential);
  const merged = noHeaders();
  for (const source of sources) {
    for (const [name, value] of Object.entries(source)) {
      const isForeign = source !== used && credentialHeaders.has(name);
      if (!isForeign && merged[name] === undefined) merged[name] = value;
    }
  }
  return merged;
}

/** Converts the headers of an HTTP request, without those that only the upgrade needs. */
export function toHttpAuthHeaders(request: Pick<IncomingMessage, 'headers'>): AuthHeaders {
  const headers = noHeaders();
  for (const [name, value] of Object.entries(request.headers)) {
    if (typeof value === 'string' && !upgradeHeaders.has(name)) headers[name] = value;
  }
  return headers;
}

/**
 * Converts the `authorization` object of a frame. Values that are no text are left out. Returns
 * undefined if it is no object.
 */
export function toAuthHeaders(value: unknown): AuthHeaders | undefined {
  if (!isJsonObject(value)) return undefined;
  const headers = noHeaders();
  for (const [name, each] of Object.entries(value)) {
    if (typeof each === 'string') headers[name.toLowerCase()] = each;
  }
  return headers;
}

/** Returns the facts about the client that sends a request. */
export function toAuthClient(
  request: IncomingMessage,
  addressOf: ((request: IncomingMessage) => string) | undefined,
): AuthClient {
  return { foreignOrigin: findForeignOrigin(request), address: addressOf?.(request) };
}

/**
 * Returns the origin of the web page that sends a request; undefined for a page of this server, by the
 * name that the request has for it, and for programs that are no browsers.
 */
function findForeignOrigin({ headers }: IncomingMessage): string | undefined {
  const { origin, host } = headers;
  // Browsers say so themselves, also where a proxy has changed the Host header.
  if (origin === undefined || headers['sec-fetch-site'] === 'same-origin') return undefined;
  return origin === `https://${host}` || origin === `http://${host}` ? undefined : origin;
}

function hasCredential(headers: AuthHeaders): boolean {
  return headers.authorization !== undefined || headers['x-api-key'] !== undefined;
}

function subprotocolsOf({ headers }: Pick<IncomingMessage, 'headers'>): string[] {
  const offered = headers['sec-websocket-protocol'];
  return offered === undefined ? [] : offered.split(',').map((each) => each.trim());
}

/** Returns `header` of the query. Its value is base64, in which `+` is no space. */
function headerParameter(url: string): string | undefined {
  const start = url.indexOf('?');
  if (start < 0) return undefined;
  const query = new URLSearchParams(url.slice(start + 1).replaceAll('+', '%2B'));
  return query.get('header') ?? undefined;
}

function decodeObject(text: string): AuthHeaders {
  if (text === '' || !base64Pattern.test(text)) throw malformed();
  // Node's decoder takes both alphabets, padded or not.
  const bytes = Buffer.from(text, 'base64');
  try {
    const headers = toAuthHeaders(JSON.parse(decoder.decode(bytes)));
    if (headers !== undefined) return headers;
  } catch {
    // The text of the fault would show parts of the credential.
  }
  throw malformed();
}

function malformed(): RealtimeError {
  const message = 'The headers of the connection are not a JSON object in base64url.';
  return new RealtimeError('BadRequestException', 400, message);
}

/** Creates an object without a prototype: a header may be called `constructor` or `__proto__`. */
function noHeaders(): Record<string, string> {
  return Object.create(null) as Record<string, string>;
}
