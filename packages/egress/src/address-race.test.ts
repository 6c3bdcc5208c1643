import type { LookupAddress } from 'node:dns';
import { freePort, startReceiver } from '@posthaste/testbed';
import { describe, expect, it } from 'vitest';
import { failureOf, get, openEgress, responseOf, started } from '../test/sending.js';
import { startUnacceptingServer } from '../test/unaccepting-server.js';
import { alternateFamilies } from './address-race.js';
import type { Egress, EgressOptions } from './index.js';

/** Both families in both orders, and one family alone. */
const orders = [
  ['127.0.0.1', '::1'],
  ['::1', '127.0.0.1'],
  ['127.0.0.1', '127.0.0.2'],
] as const;

function resolvingTo(
  addresses: readonly string[],
  options: Partial<EgressOptions> = {},
): { readonly egress: Egress; readonly send: (port: number) => ReturnType<Egress['send']> } {
  const egress = openEgress(options, {
    allowLoopback: true,
    resolve: async () => addresses.map(toLookup),
  });
  const scheme = options.ca === undefined ? 'http' : 'https';
  return { egress, send: (port) => egress.send(get(`${scheme}://localhost:${port}/`)) };
}

describe.each(orders)('a name with the addresses %s and %s', (first, second) => {
  it('is reached at the second when the first never accepts', async () => {
    const { port } = await started(startUnacceptingServer(first));
    const receiver = await started(startReceiver(200, { host: second, port }));
    const { egress, send } = resolvingTo([first, second]);
    const response = responseOf(await send(port));
    expect(response.statusCode).toBe(200);
    expect(receiver.count).toBe(1);
    expect(egress.stats()).toMatchObject({ connections: 1, idleConnections: 1 });
  });

  it('is reached with TLS at the second when the first never accepts', async () => {
    const { port } = await started(startUnacceptingServer(first));
    const receiver = await started(startReceiver(200, { host: second, port, tls: true }));
    const { send } = resolvingTo([first, second], { ca: [receiver.certificate ?? ''] });
    expect(responseOf(await send(port)).statusCode).toBe(200);
  });

  it('is reached at the second when the first refuses', async () => {
    const receiver = await started(startReceiver(200, { host: second }));
    const { send } = resolvingTo([first, second]);
    expect(responseOf(await send(receiver.port)).statusCode).toBe(200);
  });

  it('is reached at the first when the second is dead', async () => {
    const receiver = await started(startReceiver(200, { host: first }));
    const { send } = resolvingTo([first, second]);
    expect(responseOf(await send(receiver.port)).statusCode).toBe(200);
  });

  it('is reached at the first when that is slow to accept and the second refuses', async () => {
    const server = await started(startUnacceptingServer(first));
    const { send } = resolvingTo([first, second]);
    const sending = send(server.port);
    setTimeout(server.accept, 600);
    const response = responseOf(await sending);
    expect(response.body.toString()).toBe('late');
    expect(Number(response.durationNs / 1_000_000n)).toBeGreaterThan(500);
  });

  it('is given up at the deadline, and not before it, when neither accepts', async () => {
    const { port } = await started(startUnacceptingServer(first));
    const { egress } = resolvingTo([first, second]);
    const request = get(`http://localhost:${port}/`, { timeoutMs: 700 });
    const failure = failureOf(await egress.send(request));
    expect(failure).toMatchObject({ reason: 'timeout', permanent: false });
    expect(failure.detail).toContain('timed out while connecting to localhost');
    expect(Number(failure.durationNs / 1_000_000n)).toBeGreaterThanOrEqual(698);
    expect(egress.stats()).toMatchObject({ connections: 0, origins: 0 });
  });

  it('fails at once when both refuse', async () => {
    const { send } = resolvingTo([first, second]);
    expect(failureOf(await send(await freePort())).reason).toBe('refused');
  });

  it('is not connected to when one of the addresses is denied', async () => {
    const receiver = await started(startReceiver(200, { host: first }));
    const addresses = [first, second, '10.0.0.1'].map(toLookup);
    const guard = { allowLoopback: true, resolve: async () => addresses };
    const outcome = await openEgress({}, guard).send(get(`http://two.test:${receiver.port}/`));
    expect(failureOf(outcome).reason).toBe('blocked');
    expect(receiver.connectionsOpened).toBe(0);
  });
});

it('reaches the last of many addresses, most of which refuse', async () => {
  const receiver = await started(startReceiver(200, { host: '::1' }));
  const dead = Array.from({ length: 40 }, (_, index) => `127.0.1.${index + 1}`);
  const { send } = resolvingTo([...dead, '::1']);
  expect(responseOf(await send(receiver.port)).statusCode).toBe(200);
});

it('reaches the last of ten addresses, of which nine never accept', async () => {
  const { port } = await started(startUnacceptingServer('127.0.0.1'));
  await started(startReceiver(200, { host: '127.0.0.2', port }));
  const { send } = resolvingTo([...Array<string>(9).fill('127.0.0.1'), '127.0.0.2']);
  expect(responseOf(await send(port)).statusCode).toBe(200);
});

it('alternates the families, beginning with the first address, and keeps the order within one', () => {
  const sorted = (...addresses: string[]) => alternateFamilies(addresses.map(toLookup));
  expect(sorted('1.1.1.1', '1.1.1.2', '1.1.1.3', '2a00::1')).toEqual([
    '1.1.1.1',
    '2a00::1',
    '1.1.1.2',
    '1.1.1.3',
  ]);
  expect(sorted('2a00::1', '2a00::2', '1.1.1.1')).toEqual(['2a00::1', '1.1.1.1', '2a00::2']);
  expect(sorted()).toEqual([]);
});

function toLookup(address: string): LookupAddress {
  return { address, family: address.includes(':') ? 6 : 4 };
}
