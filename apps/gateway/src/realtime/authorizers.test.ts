import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import {
  type Config,
  createCognitoConfig,
  createConfig,
  createIamConfig,
  createLambdaConfig,
  createOidcConfig,
} from '@posthaste/appsync-client';
import {
  createOidcKey,
  type OidcProvider,
  signIdToken,
  startOidcProvider,
} from '@posthaste/testbed';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createPlatformDatabase } from '../../test/test-platform.js';
import {
  openTestRealtime,
  realtimeFile,
  type TestRealtime,
  takeEvents,
} from '../../test/test-realtime.js';

const client = { id: 'web', secret: 's', redirectUri: 'http://x/' };
const keys = { accessKeyId: 'AKIATEST', secretAccessKey: 'secret-of-tests' };
const wait = { timeout: 30_000 };

/** Webhook authorizer that knows two tokens, and notes the questions. */
interface Webhook {
  readonly server: Server;
  readonly url: string;
  readonly questions: Record<string, unknown>[];
}

async function startWebhook(): Promise<Webhook> {
  const questions: Record<string, unknown>[] = [];
  const server = createServer(async (request, response) => {
    const question = (await json(request)) as Record<string, unknown>;
    questions.push({ ...question, secret: request.headers['x-secret'] });
    const isAuthorized = String(question.authorizationToken).startsWith('good');
    const answer = JSON.stringify({ isAuthorized, ttlOverride: 0 });
    response.writeHead(200, { 'content-type': 'application/json' }).end(answer);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return { server, questions, url: `http://127.0.0.1:${port}/authorize` };
}

describeWithPostgres('authorizers of POSTHASTE_REALTIME_CONFIG', () => {
  let database: Awaited<ReturnType<typeof createPlatformDatabase>>;
  let oidc: OidcProvider;
  let pool: OidcProvider;
  let webhook: Webhook;
  let gateway: TestRealtime;
  let endpoint: string;

  beforeAll(async () => {
    database = await createPlatformDatabase();
    [oidc, pool] = await Promise.all([startOidcProvider(client), startOidcProvider(client)]);
    webhook = await startWebhook();
    const file = await realtimeFile({
      namespaces: [
        { name: 'humans', application: 'shop', subscribeAuthModes: ['OPENID_CONNECT'] },
        { name: 'user', application: 'shop', ownChannels: '/user/{sub}/*' },
      ],
      authorizers: [
        { type: 'webhook', application: 'game', url: webhook.url, headers: { 'x-secret': 'abc' } },
        { type: 'oidc', application: 'shop', issuer: oidc.issuer, audience: 'web' },
        {
          type: 'cognito',
          application: 'pay',
          userPoolId: 'eu-west-1_abc',
          clientId: 'web',
          issuer: pool.issuer,
          jwksUrl: `${pool.issuer}/jwks`,
        },
        { type: 'iam', application: 'depot', region: 'eu-west-1', keys: [keys] },
      ],
    });
    gateway = await openTestRealtime(database, {}, file);
    endpoint = `${gateway.gateway.url}/event`;
  });
  afterAll(async () => {
    await gateway?.close();
    await Promise.all([oidc?.close(), pool?.close()]);
    webhook?.server.close();
    await database?.drop();
  });

  /** Returns a token of a provider. Default: one that is good for ten minutes. */
  async function tokenOf(provider: OidcProvider, claims: object = {}): Promise<string> {
    const exp = Math.floor(Date.now() / 1_000) + 600;
    const { issuer: iss, key } = provider;
    return signIdToken({ iss, aud: 'web', sub: 'anna', exp, ...claims }, key);
  }

  async function post(headers: Record<string, string>): Promise<number> {
    const body = JSON.stringify({ channel: '/default/posted', events: ['1'] });
    const response = await fetch(endpoint, { method: 'POST', headers, body });
    await response.text();
    return response.status;
  }

  /** Expects that the credential is on the channels of this application, and of no other. */
  async function expectApplication(config: Config, application: string): Promise<void> {
    const subscribers = await Promise.all(
      ['shop', 'pay', 'depot', 'game'].map(async (name) => {
        const reader = await gateway.connect(await gateway.createKey({ applications: [name] }));
        const subscription = reader.subscribe('/default/*');
        await subscription.ready;
        return { name, reader, subscription };
      }),
    );
    const own = await gateway.connectBy(config);
    const received = own.subscribe('/default/here');
    await received.ready;
    expect(await own.publish('/default/here', ['"e"'])).toMatchObject({ failed: [] });
    expect(await takeEvents(received, 1)).toEqual(['"e"']);
    for (const { name, reader, subscription } of subscribers) {
      // What comes first: the event, or this one behind it.
      await reader.publish('/default/here', ['"end"']);
      const [first] = await takeEvents(subscription, 1);
      expect(`${name} ${first}`).toBe(`${name} ${name === application ? '"e"' : '"end"'}`);
      reader.close();
    }
  }

  it('let in by tokens of an OpenID Connect provider, with and without Bearer', async () => {
    const token = await tokenOf(oidc);
    await expectApplication(createOidcConfig(endpoint, undefined, token), 'shop');
    expect(await post({ authorization: `Bearer ${token}` })).toBe(200);
  });

  it('keep users to their own channels, where the namespace says so', async () => {
    const anna = await gateway.connectBy(
      createOidcConfig(endpoint, undefined, await tokenOf(oidc)),
    );
    const inbox = anna.subscribe('/user/anna/*');
    await inbox.ready;
    for (const path of ['/user/bert/*', '/user/*']) {
      await expect(anna.subscribe(path).ready).rejects.toMatchObject({
        errors: [{ errorType: 'Forbidden', message: expect.stringContaining('/user/{sub}/*') }],
      });
    }
    await expect(anna.publish('/user/bert/inbox', ['1'])).rejects.toThrow();
    const backend = await gateway.connect(await gateway.createKey({ applications: ['shop'] }));
    await backend.publish('/user/anna/inbox', ['"hello"']);
    expect(await takeEvents(inbox, 1)).toEqual(['"hello"']);
    anna.close();
    backend.close();
  });

  it('let in by access tokens and ID tokens of a Cognito pool', async () => {
    const access = await tokenOf(pool, { aud: undefined, token_use: 'access', client_id: 'web' });
    await expectApplication(createCognitoConfig(endpoint, undefined, access), 'pay');
    const id = await tokenOf(pool, { token_use: 'id' });
    expect(await post({ authorization: id })).toBe(200);
  });

  it('let in by signatures of an IAM key', async () => {
    const signing = { ...keys, region: 'eu-west-1' };
    await expectApplication(createIamConfig(endpoint, undefined, signing), 'depot');
    for (const wrong of [
      { ...signing, secretAccessKey: 'another' },
      { ...signing, accessKeyId: 'AKIAOTHER' },
      { ...signing, region: 'us-east-1' },
    ]) {
      const config = createIamConfig(endpoint, undefined, wrong);
      await expect(gateway.connectBy(config)).rejects.toMatchObject({ reason: 'server_error' });
    }
  });

  it('let in by a webhook, which is asked as a Lambda authorizer of AWS', async () => {
    await expectApplication(createLambdaConfig(endpoint, undefined, 'good-1'), 'game');
    expect(webhook.questions).toContainEqual(
      expect.objectContaining({
        authorizationToken: 'good-1',
        secret: 'abc',
        requestContext: expect.objectContaining({
          operation: 'EVENT_PUBLISH',
          channelNamespaceName: 'default',
          channel: '/default/here',
        }),
      }),
    );
    expect(await post({ authorization: 'bad' })).toBe(401);
    const config = createLambdaConfig(endpoint, undefined, 'bad');
    await expect(gateway.connectBy(config)).rejects.toMatchObject({ reason: 'server_error' });
  });

  it('refuse a token for another API, an expired one, and one with a foreign signature', async () => {
    const past = Math.floor(Date.now() / 1_000) - 1;
    const forger = await createOidcKey(oidc.key.kid);
    const forged = signIdToken({ iss: oidc.issuer, aud: 'web', sub: 'a', exp: past + 600 }, forger);
    const bad = await Promise.all([
      tokenOf(oidc, { aud: 'another' }),
      tokenOf(oidc, { exp: past }),
      tokenOf(pool, { token_use: 'access', client_id: 'another', aud: undefined }),
      tokenOf(pool, { aud: 'web' }),
      forged,
    ]);
    const asked = webhook.questions.length;
    for (const token of bad) {
      expect(await post({ authorization: token })).toBe(401);
      const config = createOidcConfig(endpoint, undefined, token);
      await expect(gateway.connectBy(config)).rejects.toMatchObject({
        errors: [{ errorType: 'UnauthorizedException' }],
      });
    }
    // Tokens of a known issuer are shown to no webhook.
    expect(webhook.questions).toHaveLength(asked);
  });

  it('bind a token to its application, whatever the client names', async () => {
    const token = await tokenOf(oidc);
    const headers = { Authorization: token, 'x-posthaste-application': 'pay' };
    await expectApplication(
      createConfig([endpoint, undefined], () => headers),
      'shop',
    );
  });

  it('end a connection when its token expires', async () => {
    const exp = Math.floor(Date.now() / 1_000) + 10;
    const token = await tokenOf(oidc, { exp });
    const own = await gateway.connectBy(createOidcConfig(endpoint, undefined, token));
    const subscription = own.subscribe('/default/expiring');
    await subscription.ready;
    await expect.poll(() => own.state, wait).toBe('closed');
    expect(own.err).toMatchObject({ errors: [{ errorType: 'UnauthorizedException' }] });
    expect(Date.now()).toBeGreaterThanOrEqual(exp * 1_000);
  });

  it('register their applications, and refuse everything while one is being deleted', async () => {
    const names = async () =>
      (await gateway.db.query<{ name: string }>('select name from gateway.application')).rows;
    await expect.poll(names, wait).toContainEqual({ name: 'depot' });
    const signing = { ...keys, region: 'eu-west-1' };
    const own = await gateway.connectBy(createIamConfig(endpoint, undefined, signing));
    await own.subscribe('/default/deleted').ready;
    await gateway.db.query(
      `update gateway.application set state = 'deleting' where name = 'depot'`,
    );
    await expect.poll(() => own.state, wait).toBe('closed');
    expect(own.err).toMatchObject({
      errors: [{ message: expect.stringContaining('being deleted') }],
    });
  });

  it('are modes that a namespace may require', async () => {
    const subscribe = async (config: Config) =>
      (await gateway.connectBy(config)).subscribe('/humans/a').ready;
    await subscribe(createOidcConfig(endpoint, undefined, await tokenOf(oidc)));
    const key = await gateway.createKey();
    await expect(
      subscribe(createConfig([endpoint, undefined], () => ({ 'x-api-key': key }))),
    ).rejects.toMatchObject({ errors: [{ errorType: 'Forbidden' }] });
    // The namespace is one of another application.
    const access = await tokenOf(pool, { token_use: 'id' });
    await expect(subscribe(createCognitoConfig(endpoint, undefined, access))).rejects.toMatchObject(
      { errors: [{ errorType: 'ResourceNotFound' }] },
    );
  });
});
