import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startTestGateway, type TestGateway } from './gateway.js';
import { findOutcome, startAmplify } from './run-amplify.js';
import { startTlsProxy } from './tls-proxy.js';

describeWithPostgres('AWS Amplify, subscribed in a namespace that is removed', () => {
  let gateway: TestGateway;

  beforeAll(async () => {
    gateway = await startTestGateway();
  });
  afterAll(() => gateway?.close());

  /** Creates or removes the namespace of a test. Returns the status. */
  async function callNamespaces(key: string, method: 'POST' | 'DELETE', name: string) {
    const [path, body] = method === 'POST' ? ['', JSON.stringify({ name })] : [`/${name}`];
    const { status } = await fetch(`${gateway.url}/v1/namespaces${path}`, {
      method,
      headers: {
        authorization: `Bearer ${key}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body }),
    });
    return status;
  }

  it.concurrent.each(['6-22', '6-20'] as const)('%s: is told the reason', async (version) => {
    const key = await gateway.createKey();
    const proxy = await startTlsProxy(gateway);
    const name = `live-${version}`;
    expect(await callNamespaces(key, 'POST', name)).toBe(201);
    const { endpoint } = proxy;
    const use = { version, endpoint, credential: key, channel: `/${name}/room` };
    const running = await startAmplify({ ...use, scenario: 'followToTheEnd' });
    await running.waitForLine(/^subscribed$/);
    expect(await callNamespaces(key, 'DELETE', name)).toBe(204);
    expect(await findOutcome(running)).toEqual({
      errors: [expect.stringMatching(/ResourceNotFound.*The namespace '.*' was removed/)],
    });
    await proxy.close();
  });
});
