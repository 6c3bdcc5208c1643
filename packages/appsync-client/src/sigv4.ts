/*
 * AWS Signature Version 4 by WebCrypto, for the service `appsync`.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html
 */

import type { Authorization } from './protocol.js';

/** Keys that sign. */
export interface SigningKeys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Of temporary credentials. */
  readonly sessionToken?: string;
}

/** Request that is signed: always a POST. */
export interface SignedRequest {
  readonly host: string;
  /** `/event`, also for operations on the WebSocket. */
  readonly path: string;
  readonly region: string;
  readonly body: string;
  /** Milliseconds since 1970. */
  readonly now: number;
}

const encoder = new TextEncoder();
const service = 'appsync';

/** Returns the headers of a signed request, `Authorization` among them. */
export async function signRequest(
  { host, path, region, body, now }: SignedRequest,
  { accessKeyId, secretAccessKey, sessionToken }: SigningKeys,
): Promise<Authorization> {
  const time = new Date(now).toISOString().replace(/[-:]|\.\d+/g, '');
  const day = time.slice(0, 8);
  const headers: Record<string, string> = {
    accept: 'application/json, text/javascript',
    'content-encoding': 'amz-1.0',
    'content-type': 'application/json; charset=UTF-8',
    host,
    'x-amz-date': time,
    ...(sessionToken === undefined ? {} : { 'x-amz-security-token': sessionToken }),
  };
  const names = Object.keys(headers).sort();
  const canonical = [
    'POST',
    path,
    '',
    ...names.map((name) => `${name}:${headers[name]}`),
    '',
    names.join(';'),
    await sha256(body),
  ].join('\n');
  const scope = `${day}/${region}/${service}/aws4_request`;
  const text = ['AWS4-HMAC-SHA256', time, scope, await sha256(canonical)].join('\n');
  let key: BufferSource = encoder.encode(`AWS4${secretAccessKey}`);
  for (const part of [day, region, service, 'aws4_request', text]) key = await hmac(key, part);
  const signature = toHex(key as ArrayBuffer);
  const credential = `Credential=${accessKeyId}/${scope}`;
  const Authorization = `AWS4-HMAC-SHA256 ${credential}, SignedHeaders=${names.join(';')}, Signature=${signature}`;
  return { ...headers, Authorization };
}

async function hmac(key: BufferSource, text: string): Promise<ArrayBuffer> {
  const algorithm = { name: 'HMAC', hash: 'SHA-256' };
  const imported = await crypto.subtle.importKey('raw', key, algorithm, false, ['sign']);
  return crypto.subtle.sign('HMAC', imported, encoder.encode(text));
}

async function sha256(text: string): Promise<string> {
  return toHex(await crypto.subtle.digest('SHA-256', encoder.encode(text)));
}

function toHex(bytes: ArrayBuffer): string {
  return Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
