import { randomBytes } from 'node:crypto';
import { hopsHeader } from '@posthaste/contracts';
import type { Delivery } from './delivery.js';
import type { HttpOutcome } from './outcome.js';

/** HTTP request, complete but for the headers that belong to the connection. */
export interface HttpRequest {
  readonly url: string;
  readonly method: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: Buffer | null;
  /** Total time for name resolution, connecting, TLS, head and body, in ms. */
  readonly timeoutMs: number;
  /** Bytes of the answer's body that are kept. */
  readonly maxResponseBytes: number;
}

/** HTTP client for attempts. It follows no redirect and refuses denied addresses. */
export interface HttpClient {
  /** Makes one request. Never rejects: a failure is an outcome. */
  send(request: HttpRequest): Promise<HttpOutcome>;
}

/** Signer of requests. */
export interface Signer {
  /**
   * Returns the value of `webhook-signature`, or `undefined` when there is no secret to sign with.
   */
  sign(
    delivery: Delivery,
    timestampSeconds: number,
    body: Buffer,
  ): string | undefined | Promise<string | undefined>;
}

/** Settings of attempts that are the same for all of a dispatcher's deliveries. */
export interface AttemptSettings {
  /** Value of the User-Agent header where the callback has none. */
  readonly userAgent: string;
  /** Bytes of an answer's body that are kept. */
  readonly maxResponseBytes: number;
}

/** Values of one attempt that are not part of its delivery. */
export interface RequestContext {
  /** Headers that the endpoint adds. */
  readonly endpointHeaders: Readonly<Record<string, string>> | undefined;
  /** Time of the attempt by the database's clock, in milliseconds since 1970. */
  readonly nowMs: number;
  readonly signer: Signer;
  readonly settings: AttemptSettings;
}

const methodsWithBody: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH']);
const emptyBody = Buffer.alloc(0);
const ofCloudEvent = /^(?:ce-|content-type$)/;
/** Trace flags of a trace that begins here: sampled. */
const traceFlags = '01';

/** True if the delivery's method sends a body. */
export function sendsBody({ request }: Delivery): boolean {
  return methodsWithBody.has(request.method);
}

/**
 * Builds the request of one attempt. `webhook-id` is the callback's id, the same on every attempt.
 * All attempts belong to one trace: the one whose `traceparent` came with the callback, which is
 * passed on unchanged, else one that has the callback's id.
 */
export async function buildRequest(
  delivery: Delivery,
  { endpointHeaders, nowMs, signer, settings }: RequestContext,
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
  headers.push([hopsHeader, toHops(delivery)]);
  if (request.headers?.traceparent === undefined) {
    headers.push(['traceparent', newTraceparent(callbackId)]);
  }
  if (request.secret !== undefined || delivery.endpointId !== undefined) {
    const signature = await signer.sign(delivery, timestampSeconds, body ?? emptyBody);
    if (signature !== undefined) headers.push(['webhook-signature', signature]);
  }
  const { url, timeoutMs } = request;
  return { url, method, headers, body, timeoutMs, maxResponseBytes: settings.maxResponseBytes };
}

/**
 * Returns the callback's own headers, and those of its endpoint that it does not have itself. A
 * CloudEvent in binary mode is made of its `ce-` headers and content type: the endpoint adds none,
 * because the event would have an attribute, or data of a type, that it was not published with.
 */
function mergeHeaders(
  ofEndpoint: Readonly<Record<string, string>> | undefined,
  own: Readonly<Record<string, string>> | undefined,
): [string, string][] {
  const headers = own ? Object.entries(own) : [];
  if (!ofEndpoint) return headers;
  const given = new Set(headers.map(([name]) => name.toLowerCase()));
  const isCloudEvent = given.has('ce-specversion');
  const added = Object.entries(ofEndpoint).filter(([name]) => {
    const lower = name.toLowerCase();
    return !given.has(lower) && !(isCloudEvent && ofCloudEvent.test(lower));
  });
  return [...added, ...headers];
}

/** Nearly all deliveries are the first of their chain: their header is no new text. */
function toHops({ echo }: Delivery): string {
  return echo === 0 ? '1' : String(echo + 1);
}

function newTraceparent(callbackId: string): string {
  return `00-${callbackId.replaceAll('-', '')}-${newSpanId()}-${traceFlags}`;
}

const spanIds = { pool: randomBytes(0), used: 0 };

/**
 * Returns a random span id. Random bytes are drawn for 512 ids at once: a draw for each would cost
 * more than the rest.
 */
function newSpanId(): string {
  if (spanIds.used === spanIds.pool.length) {
    spanIds.pool = randomBytes(8 * 512);
    spanIds.used = 0;
  }
  const id = spanIds.pool.toString('hex', spanIds.used, spanIds.used + 8);
  spanIds.used += 8;
  return id;
}
