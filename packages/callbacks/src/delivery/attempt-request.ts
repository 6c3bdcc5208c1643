import { randomBytes } from 'node:crypto';
import type { Delivery } from './delivery.js';
import type { HttpOutcome } from './outcome.js';

/** One HTTP request, complete but for what the connection itself adds. */
export interface HttpRequest {
  readonly url: string;
  readonly method: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: Buffer | null;
  /** Total time: name resolution, connecting, TLS, head and body. */
  readonly timeoutMs: number;
  /** What is kept of the answer's body. */
  readonly maxResponseBytes: number;
}

/** What makes the requests. Never rejects, follows no redirect, guards against inside addresses. */
export interface HttpClient {
  send(request: HttpRequest): Promise<HttpOutcome>;
}

/** Makes the value of `webhook-signature`, or `undefined` when there is no secret to sign with. */
export interface Signer {
  sign(
    delivery: Delivery,
    timestampSeconds: number,
    body: Buffer,
  ): string | undefined | Promise<string | undefined>;
}

export interface AttemptSettings {
  /** Value of the User-Agent header, unless the caller gave one. */
  readonly userAgent: string;
  /** Bytes of an answer's body that are kept. */
  readonly maxResponseBytes: number;
}

const methodsWithBody: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH']);
const emptyBody = Buffer.alloc(0);
const sampled = '01';

/** Whether a body that was given is sent: by the method. */
export function sendsBody({ request }: Delivery): boolean {
  return methodsWithBody.has(request.method);
}

/**
 * The request of one attempt. `webhook-id` is the callback's id, the same on every attempt. All
 * attempts are of one trace: the one the callback was handed in with, whose `traceparent` is passed
 * on as it came, else one that has the callback's id.
 */
export async function buildRequest(
  delivery: Delivery,
  endpointHeaders: Readonly<Record<string, string>> | undefined,
  nowMs: number,
  signer: Signer,
  settings: AttemptSettings,
): Promise<HttpRequest> {
  const { request, callbackId } = delivery;
  const method = request.method || 'GET';
  const body = sendsBody(delivery) ? (request.body ?? null) : null;
  const timestampSeconds = Math.floor(nowMs / 1_000);
  const headers = mergeHeaders(endpointHeaders, request.headers);
  if (!headers.some(([name]) => name.length === 10 && name.toLowerCase() === 'user-agent')) {
    headers.push(['user-agent', settings.userAgent]);
  }
  headers.push(['webhook-id', callbackId], ['webhook-timestamp', String(timestampSeconds)]);
  if (request.headers?.traceparent === undefined) {
    headers.push(['traceparent', traceParent(callbackId)]);
  }
  if (request.secret !== undefined || delivery.endpointId !== undefined) {
    const signature = await signer.sign(delivery, timestampSeconds, body ?? emptyBody);
    if (signature !== undefined) headers.push(['webhook-signature', signature]);
  }
  const { url, timeoutMs } = request;
  return { url, method, headers, body, timeoutMs, maxResponseBytes: settings.maxResponseBytes };
}

/** The callback's own headers, and those of its endpoint that it does not have itself. */
function mergeHeaders(
  ofEndpoint: Readonly<Record<string, string>> | undefined,
  own: Readonly<Record<string, string>> | undefined,
): [string, string][] {
  const headers = own ? Object.entries(own) : [];
  if (!ofEndpoint) return headers;
  const given = new Set(headers.map(([name]) => name.toLowerCase()));
  const added = Object.entries(ofEndpoint).filter(([name]) => !given.has(name.toLowerCase()));
  return [...added, ...headers];
}

function traceParent(callbackId: string): string {
  return `00-${callbackId.replaceAll('-', '')}-${spanId()}-${sampled}`;
}

const spanIds = { pool: randomBytes(0), used: 0 };

/** Random bytes are drawn for 512 spans at once: a draw for each would cost more than the rest. */
function spanId(): string {
  if (spanIds.used === spanIds.pool.length) {
    spanIds.pool = randomBytes(8 * 512);
    spanIds.used = 0;
  }
  const id = spanIds.pool.toString('hex', spanIds.used, spanIds.used + 8);
  spanIds.used += 8;
  return id;
}
