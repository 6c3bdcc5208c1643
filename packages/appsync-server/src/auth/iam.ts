import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { ChannelPath } from '@posthaste/contracts';
import { unauthorized } from './auth-modes.js';
import type { Authorizer, AuthRequest, Identity } from './authorizer.js';
import type { AuthHeaders } from './credential-object.js';

/** Key that signs requests. */
export interface IamKey {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Text that temporary keys are sent with. Default: none may be sent. */
  readonly sessionToken?: string | undefined;
  /** Default `''`. */
  readonly realm?: string | undefined;
  /** End of the key, in ms since 1970. Default: never. */
  readonly expiresAt?: number | undefined;
  /** True if the key allows the operation on the channel. Default: any. */
  readonly mayUse?:
    | ((operation: 'subscribe' | 'publish', channel: ChannelPath) => boolean)
    | undefined;
}

/** Options of {@link createIamAuthorizer}. */
export interface IamAuthorizerOptions {
  readonly keys: readonly IamKey[];
  /** Region that signatures must be for. Default: any. */
  readonly region?: string | undefined;
  /** Names of this server that clients sign where a proxy changes `Host`. Default: none. */
  readonly hosts?: readonly string[] | undefined;
  /** Difference of clocks that is allowed, in ms. Default 300,000. */
  readonly clockSkewMs?: number | undefined;
  /** Returns the time in ms since 1970. Default `Date.now`. */
  readonly now?: (() => number) | undefined;
}

/** Signature of a request, in parts. */
interface Signature {
  readonly accessKeyId: string;
  readonly scopeDate: string;
  readonly region: string;
  readonly signedHeaders: readonly string[];
  readonly signature: Buffer;
  /** `x-amz-date`. */
  readonly date: string;
}

const algorithm = 'AWS4-HMAC-SHA256';
const authorizationPattern =
  /^AWS4-HMAC-SHA256 Credential=([^/\s,]{1,128})\/(\d{8})\/([a-z0-9-]{1,64})\/appsync\/aws4_request, *SignedHeaders=([a-z0-9;_-]{1,2048}), *Signature=([0-9a-f]{64})$/;
const datePattern = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/;
/** The path that is signed for every operation, also on the WebSocket. */
const canonicalPath = '/event';

/**
 * Creates the authorizer of requests that are signed with one of the keys by AWS Signature Version 4.
 * The service is `appsync`.
 */
export function createIamAuthorizer(options: IamAuthorizerOptions): Authorizer {
  const { region, hosts = [], clockSkewMs = 300_000, now = Date.now } = options;
  const keys = new Map(
    options.keys.map((key) => [key.accessKeyId, { key, identity: toIdentity(key) }]),
  );
  return {
    mode: 'AWS_IAM',
    accepts: ({ authorization }) => authorization?.startsWith(algorithm) === true,
    authorize: (request) => {
      const signature = parseSignature(request.headers);
      const found = keys.get(signature.accessKeyId);
      // An unknown key takes as long as a known one with a wrong signature.
      const isSigned = verify(request, signature, {
        secret: found?.key.secretAccessKey ?? '',
        hosts,
      });
      const isCurrent = Math.abs(timeOf(signature.date) - now()) <= clockSkewMs;
      const isRegion = region === undefined || signature.region === region;
      if (found === undefined || !isSigned || !isCurrent || !isRegion) throw unauthorized();
      const sent = request.headers['x-amz-security-token'] ?? '';
      if (!areEqual(sent, found.key.sessionToken ?? '')) throw unauthorized();
      return found.identity;
    },
  };
}

/** @throws RealtimeError if it has another form, or does not sign host and date */
function parseSignature(headers: AuthHeaders): Signature {
  const match = authorizationPattern.exec(headers.authorization ?? '');
  if (match === null) throw unauthorized();
  const [, accessKeyId = '', scopeDate = '', region = '', names = '', hex = ''] = match;
  const signedHeaders = names.split(';');
  const date = headers['x-amz-date'] ?? '';
  const isComplete = signedHeaders.includes('host') && signedHeaders.includes('x-amz-date');
  if (!isComplete || !datePattern.test(date) || !date.startsWith(scopeDate)) throw unauthorized();
  return {
    accessKeyId,
    scopeDate,
    region,
    signedHeaders,
    signature: Buffer.from(hex, 'hex'),
    date,
  };
}

/** True if the signature fits one of the hosts and bodies that a client may have signed. */
function verify(
  { headers, body }: AuthRequest,
  signed: Signature,
  { secret, hosts }: { readonly secret: string; readonly hosts: readonly string[] },
): boolean {
  const key = [signed.scopeDate, signed.region, 'appsync', 'aws4_request'].reduce<string | Buffer>(
    (previous, part) => createHmac('sha256', previous).update(part).digest(),
    `AWS4${secret}`,
  );
  // The JSON libraries of Android and Swift write `/` as `\/` in what they sign.
  const hashes = [...new Set([body, body.replaceAll('/', '\\/')])].map(sha256);
  let isSigned = false;
  for (const host of hostsOf(headers.host, hosts)) {
    for (const hash of hashes) {
      const text = stringToSign(signed, canonicalRequest({ headers, signed, host, hash }));
      const expected = createHmac('sha256', key).update(text).digest();
      isSigned = timingSafeEqual(expected, signed.signature) || isSigned;
    }
  }
  return isSigned;
}

/**
 * Returns the hosts that the client may have signed. On AWS the names of HTTP and WebSocket differ,
 * and clients do not agree on the one they sign; on the upgrade itself `Host` is that of WebSocket.
 */
function hostsOf(sent: string | undefined, configured: readonly string[]): ReadonlySet<string> {
  const hosts = new Set(configured);
  if (sent !== undefined) {
    hosts.add(sent);
    hosts.add(sent.replace('.appsync-realtime-api.', '.appsync-api.'));
    hosts.add(sent.replace('.appsync-api.', '.appsync-realtime-api.'));
    hosts.add(sent.replace(/:(443|80)$/, ''));
  }
  return hosts;
}

function canonicalRequest(parts: {
  readonly headers: AuthHeaders;
  readonly signed: Signature;
  readonly host: string;
  readonly hash: string;
}): string {
  const { headers, signed, host, hash } = parts;
  const lines = signed.signedHeaders.map((name) => {
    const value = name === 'host' ? host : ownHeader(headers, name);
    return `${name}:${value.trim().replace(/ {2,}/g, ' ')}\n`;
  });
  const names = signed.signedHeaders.join(';');
  return ['POST', canonicalPath, '', lines.join(''), names, hash].join('\n');
}

function ownHeader(headers: AuthHeaders, name: string): string {
  return (Object.hasOwn(headers, name) ? headers[name] : undefined) ?? '';
}

function stringToSign({ date, scopeDate, region }: Signature, request: string): string {
  const scope = `${scopeDate}/${region}/appsync/aws4_request`;
  return [algorithm, date, scope, sha256(request)].join('\n');
}

function timeOf(date: string): number {
  return Date.parse(date.replace(datePattern, '$1-$2-$3T$4:$5:$6Z'));
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** Compares two texts in a time that says nothing about them. */
function areEqual(a: string, b: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}

function toIdentity({ accessKeyId, realm = '', expiresAt, mayUse }: IamKey): Identity {
  return {
    mode: 'AWS_IAM',
    id: accessKeyId,
    realm,
    ...(expiresAt === undefined ? {} : { expiresAt }),
    ...(mayUse === undefined ? {} : { mayUse }),
  };
}
