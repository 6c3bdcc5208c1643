import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { signRequest } from '@aws-amplify/core/internals/aws-client-utils';
import { Sha256 } from '@aws-crypto/sha256-js';
import { SignatureV4 } from '@smithy/signature-v4';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { AuthRequest, Identity } from './authorizer.js';
import { readConnectHeaders, toAuthHeaders, toHttpAuthHeaders } from './credential-object.js';
import { createIamAuthorizer, type IamAuthorizerOptions } from './iam.js';

const key = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG', realm: 'shop' };
const httpHost = 'abc.appsync-api.eu-west-1.amazonaws.com';
const realtimeHost = 'abc.appsync-realtime-api.eu-west-1.amazonaws.com';
const refused = expect.objectContaining({ errorType: 'UnauthorizedException', errorCode: 401 });
const publishBody = JSON.stringify({ channel: 'default/room', events: ['{"a":"é/\\"x\\""}', '2'] });
const bodies = {
  connect: '{}',
  subscribe: '{"channel":"/default/room"}',
  publish: publishBody,
} as const;

/** Signs as `aws-amplify` does for events: its own signer, with its headers. */
function signByAmplify(
  body: string,
  { host = httpHost, sessionToken, at = new Date() }: SignOptions = {},
): Record<string, string> {
  const request = {
    url: new URL(`https://${host}/event`),
    method: 'POST',
    headers: {
      accept: 'application/json, text/javascript',
      'content-encoding': 'amz-1.0',
      'content-type': 'application/json; charset=UTF-8',
    },
    body,
  };
  const credentials = { ...key, ...(sessionToken === undefined ? {} : { sessionToken }) };
  const { headers } = signRequest(request, {
    credentials,
    signingRegion: 'eu-west-1',
    signingService: 'appsync',
    signingDate: at,
  });
  return headers as Record<string, string>;
}

/** Signs as AWS's own libraries do. */
async function signBySmithy(
  body: string,
  { host = httpHost, service = 'appsync', region = 'eu-west-1', at = new Date() }: SignOptions = {},
): Promise<Record<string, string>> {
  const signer = new SignatureV4({ service, region, credentials: key, sha256: Sha256 });
  const request = {
    method: 'POST',
    protocol: 'https:',
    hostname: host,
    path: '/event',
    headers: { host, accept: 'application/json', 'content-type': 'application/json' },
    body,
  };
  return (await signer.sign(request, { signingDate: at })).headers;
}

interface SignOptions {
  readonly host?: string;
  readonly sessionToken?: string;
  readonly service?: string;
  readonly region?: string;
  readonly at?: Date;
}

function toRequest(
  operation: AuthRequest['operation'],
  headers: object,
  body: string,
): AuthRequest {
  return { operation, headers: toAuthHeaders(headers) ?? {}, body };
}

const authorize = (request: AuthRequest, options: Partial<IamAuthorizerOptions> = {}) =>
  createIamAuthorizer({ keys: [key], ...options }).authorize(request) as Identity;

describe('signatures of IAM keys', () => {
  it('of Amplify are accepted for connect, subscribe and publish, as one identity', () => {
    const authorizer = createIamAuthorizer({ keys: [key], region: 'eu-west-1' });
    const identities = Object.entries(bodies).map(([operation, body]) => {
      const headers = signByAmplify(body);
      expect(headers.authorization ?? headers.Authorization).toContain('content-encoding');
      const request = toRequest(operation as AuthRequest['operation'], headers, body);
      expect(authorizer.accepts(request.headers)).toBe(true);
      return authorizer.authorize(request);
    });
    expect(new Set(identities).size).toBe(1);
    expect(identities[0]).toEqual({ mode: 'AWS_IAM', id: 'AKIDEXAMPLE', realm: 'shop' });
  });

  it('of Amplify come through the subprotocol of an upgrade', () => {
    const entry = Buffer.from(JSON.stringify(signByAmplify('{}'))).toString('base64url');
    const headers = readConnectHeaders({
      url: '/event/realtime',
      headers: {
        host: 'localhost:8080',
        'sec-websocket-protocol': `aws-appsync-event-ws, header-${entry}`,
      },
    });
    expect(authorize({ operation: 'connect', headers, body: '{}' })).toBeDefined();
  });

  it("of AWS's signer are accepted", async () => {
    for (const [operation, body] of Object.entries(bodies)) {
      const headers = await signBySmithy(body);
      const request = toRequest(operation as AuthRequest['operation'], headers, body);
      expect(authorize(request)).toBeDefined();
    }
  });

  it('may be for the HTTP host or the realtime host, or for a name behind a proxy', async () => {
    for (const [signed, sent] of [
      [httpHost, realtimeHost],
      [realtimeHost, httpHost],
      [httpHost, `${httpHost}:443`],
    ] as const) {
      const headers = { ...(await signBySmithy('{}', { host: signed })), host: sent };
      expect(authorize(toRequest('connect', headers, '{}'))).toBeDefined();
    }
    const headers = { ...(await signBySmithy('{}', { host: 'events.example' })), host: '10.0.0.1' };
    const request = toRequest('connect', headers, '{}');
    expect(() => authorize(request)).toThrow(refused);
    expect(authorize(request, { hosts: ['events.example'] })).toBeDefined();
  });

  it('may be over JSON whose slashes are escaped, as Android and Swift write it', async () => {
    const headers = await signBySmithy('{"channel":"\\/default\\/room"}');
    expect(authorize(toRequest('subscribe', headers, bodies.subscribe))).toBeDefined();
  });

  it('of an HTTP request are checked over its body', async () => {
    const seen: Identity[] = [];
    const server = createServer(async (request, response) => {
      const body = await text(request);
      seen.push(authorize({ operation: 'publish', headers: toHttpAuthHeaders(request), body }));
      response.end();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void server.close());
    const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    const { host: _, ...headers } = signByAmplify(publishBody, { host });
    await fetch(`http://${host}/event`, { method: 'POST', headers, body: publishBody });
    expect(seen).toHaveLength(1);
  });

  it('are refused for another body, key, secret, service, region or time', async () => {
    const good = await signBySmithy(bodies.publish);
    const at = (ms: number): Date => new Date(Date.now() + ms);
    const subscribe = toRequest('subscribe', good, '{"channel":"/default/other"}');
    const requests: Record<string, AuthRequest> = {
      'another body': subscribe,
      'no body': toRequest('connect', good, '{}'),
      'another service': toRequest(
        'connect',
        await signBySmithy('{}', { service: 'execute-api' }),
        '{}',
      ),
      'a header changed': toRequest('publish', { ...good, accept: 'text/html' }, bodies.publish),
      'a header removed': toRequest('publish', { ...good, accept: undefined }, bodies.publish),
      'too old': toRequest('connect', await signBySmithy('{}', { at: at(-301_000) }), '{}'),
      'too new': toRequest('connect', await signBySmithy('{}', { at: at(302_000) }), '{}'),
      'another date': toRequest(
        'publish',
        { ...good, 'x-amz-date': '20200101T000000Z' },
        publishBody,
      ),
      'no date': toRequest('publish', { ...good, 'x-amz-date': undefined }, publishBody),
    };
    for (const [name, request] of Object.entries(requests)) {
      expect(() => authorize(request), name).toThrow(refused);
    }
    const publish = toRequest('publish', good, bodies.publish);
    expect(authorize(publish)).toBeDefined();
    expect(() => authorize(publish, { region: 'us-east-1' })).toThrow(refused);
    expect(() => authorize(publish, { keys: [{ ...key, secretAccessKey: 'x' }] })).toThrow(refused);
    expect(() => authorize(publish, { keys: [{ ...key, accessKeyId: 'OTHER' }] })).toThrow(refused);
    expect(() => authorize(publish, { keys: [] })).toThrow(refused);
    const current = toRequest('connect', await signBySmithy('{}', { at: at(-280_000) }), '{}');
    expect(authorize(current)).toBeDefined();
  });

  it('of temporary keys need their session token, and others must not send one', () => {
    const temporary = { keys: [{ ...key, sessionToken: 'token' }] };
    const withToken = toRequest('connect', signByAmplify('{}', { sessionToken: 'token' }), '{}');
    const without = toRequest('connect', signByAmplify('{}'), '{}');
    const wrong = toRequest('connect', signByAmplify('{}', { sessionToken: 'other' }), '{}');
    expect(authorize(withToken, temporary)).toBeDefined();
    expect(() => authorize(without, temporary)).toThrow(refused);
    expect(() => authorize(wrong, temporary)).toThrow(refused);
    expect(() => authorize(withToken)).toThrow(refused);
  });

  it('of a wrong form are refused', () => {
    const { authorization = '', ...others } = toAuthHeaders(signByAmplify('{}')) ?? {};
    for (const wrong of [
      'AWS4-HMAC-SHA256',
      authorization.slice(0, -1),
      authorization.replace('Signature=', 'Signature=0'),
      authorization.replace(/Signature=.*/, `Signature=${'0'.repeat(64)}`),
      authorization.replace('aws4_request', 'aws5_request'),
      authorization.replace('host;', ''),
      authorization.replace('x-amz-date', 'constructor'),
      authorization.replace('x-amz-date', '__proto__'),
      `AWS4-HMAC-SHA256 Credential=${'a'.repeat(10_000)}`,
      `AWS4-HMAC-SHA256 Credential=a/20260101/r/appsync/aws4_request,${' '.repeat(10_000)}`,
    ]) {
      const headers = { ...others, authorization: wrong };
      expect(() => authorize(toRequest('connect', headers, '{}')), wrong).toThrow(refused);
    }
  });
});
