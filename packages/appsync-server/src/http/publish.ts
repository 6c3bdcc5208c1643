import type { IncomingMessage, ServerResponse } from 'node:http';
import { parseChannel } from '@posthaste/contracts';
import type { AuthRequest } from '../auth/authorizer.js';
import { toAuthClient, toHttpAuthHeaders } from '../auth/credential-object.js';
import type { Credentials } from '../connection/credentials.js';
import type { AcceptedPublish, Publisher } from '../hub/publisher.js';
import type { Limits } from '../protocol/limits.js';
import { type ErrorEntry, RealtimeError } from '../protocol/realtime-error.js';

const allowedHeaders =
  'content-type, authorization, x-api-key, x-amz-date, x-amz-security-token, x-amz-user-agent';
/** List of names of headers, as browsers send it. */
const headerListPattern = /^[a-z0-9-]+(?:, ?[a-z0-9-]+)*$/;
const maxAskedLength = 2_048;

/** Parts of a server that the HTTP handler uses. */
export interface PublishHost {
  readonly credentials: Credentials;
  readonly publisher: Publisher;
  readonly limits: Limits;
  readonly allowedOrigins: ReadonlySet<string> | undefined;
  readonly addressOf: ((request: IncomingMessage) => string) | undefined;
  toEntry(error: unknown): ErrorEntry;
}

/** Answers `POST /event` and its preflight. Never rejects. */
export async function handlePublish(
  host: PublishHost,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  try {
    allowOrigin(host, request, response);
    if (request.method === 'OPTIONS') return answerPreflight(request, response);
    if (request.method !== 'POST') {
      response.setHeader('allow', 'POST, OPTIONS');
      throw new RealtimeError('BadRequestException', 405, 'Publish with POST.');
    }
    const text = await readBody(request, host.limits.maxFrameBytes);
    send(response, 200, await publish(host, request, text));
  } catch (error) {
    host.publisher.onRefused();
    const { errorCode, ...entry } = host.toEntry(error);
    send(response, errorCode ?? 400, { errors: [entry] });
  }
}

async function publish(
  host: PublishHost,
  request: IncomingMessage,
  text: string,
): Promise<AcceptedPublish['result']> {
  const { channel, events } = parseBody(text);
  const headers = toHttpAuthHeaders(request);
  const authRequest: AuthRequest = {
    operation: 'publish',
    headers,
    channel: typeof channel === 'string' ? parseChannel(channel) : undefined,
    body: text,
    client: toAuthClient(request, host.addressOf),
  };
  const credential = await host.credentials.authorize(authRequest);
  const publish = { channel, events, headers, isHttp: true };
  const { batch, result, isDurable } = await host.publisher.accept(credential, publish);
  if (isDurable) await host.publisher.append(batch);
  else host.publisher.deliver(batch);
  return result;
}

function parseBody(text: string): { channel: unknown; events: unknown } {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    throw new RealtimeError('BadRequestException', 400, 'The body is no JSON.');
  }
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw new RealtimeError('BadRequestException', 400, 'The body is no JSON object.');
  }
  const { channel, events } = body as Record<string, unknown>;
  return { channel, events };
}

/** Reads the body as a whole, because a character may be split between two chunks. */
async function readBody(request: IncomingMessage, maxBytes: number): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of request) {
      bytes += (chunk as Buffer).length;
      // The rest is read and dropped, so that the client gets to read the answer.
      if (bytes <= maxBytes) chunks.push(chunk as Buffer);
    }
  } catch {
    throw new RealtimeError(
      'BadRequestException',
      400,
      'The connection ended before the body did.',
    );
  }
  if (bytes <= maxBytes) return Buffer.concat(chunks).toString('utf8');
  throw new RealtimeError('BadRequestException', 413, `Input exceeded ${maxBytes} bytes`);
}

function allowOrigin(host: PublishHost, request: IncomingMessage, response: ServerResponse): void {
  const { origin } = request.headers;
  if (host.allowedOrigins === undefined) {
    response.setHeader('access-control-allow-origin', '*');
    return;
  }
  response.setHeader('vary', 'origin');
  if (origin === undefined) return;
  if (!host.allowedOrigins.has(origin)) {
    throw new RealtimeError('UnauthorizedException', 403, 'The origin is not allowed.');
  }
  response.setHeader('access-control-allow-origin', origin);
}

/** Allows the headers that are asked for: clients sign some, and send more for authorizers. */
function answerPreflight(request: IncomingMessage, response: ServerResponse): void {
  const asked = request.headers['access-control-request-headers'] ?? '';
  const isList = asked.length <= maxAskedLength && headerListPattern.test(asked);
  response.setHeader('access-control-allow-methods', 'POST, OPTIONS');
  response.setHeader('access-control-allow-headers', isList ? asked : allowedHeaders);
  response.setHeader('access-control-max-age', '86400');
  response.writeHead(204).end();
}

function send(response: ServerResponse, status: number, body: object): void {
  if (response.headersSent || response.destroyed) return;
  response.setHeader('content-type', 'application/json; charset=utf-8');
  response.writeHead(status).end(JSON.stringify(body));
}
