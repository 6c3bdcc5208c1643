import type { LookupAddress } from 'node:dns';
import { startReceiver, startTcpServer } from '@posthaste/testbed';
import { describe, expect, it } from 'vitest';
import { failureOf, get, openEgress, responseOf, started } from '../test/sending.js';

/** Spellings of addresses that are not public, mostly loopback. */
const literals = [
  '127.0.0.1',
  '127.0.0.1.',
  '127.1',
  '127.0.1',
  '2130706433',
  '017700000001',
  '0177.0.0.01',
  '0x7f000001',
  '0x7f.0x0.0x0.0x1',
  '0x7f.1',
  '%31%32%37.0.0.1',
  '１２７.０.０.１',
  '127。0。0。1',
  '0',
  '0.0.0.0',
  '10.0.0.1',
  '100.64.0.1',
  '168.63.129.16',
  '169.254.169.254',
  '172.16.0.1',
  '192.168.0.1',
  '198.18.0.1',
  '203.0.113.1',
  '224.0.0.1',
  '240.0.0.1',
  '255.255.255.255',
  '[::]',
  '[::1]',
  '[0:0:0:0:0:0:0:1]',
  '[::127.0.0.1]',
  '[::ffff:127.0.0.1]',
  '[::ffff:7f00:1]',
  '[::ffff:0:7f00:1]',
  '[64:ff9b::127.0.0.1]',
  '[64:ff9b:1::7f00:1]',
  '[2002:7f00:1::]',
  '[2001:0:7f00:1::80ff:fffe]',
  '[fe80::1]',
  '[fc00::1]',
  '[fd00:ec2::254]',
  '[fec0::1]',
  '[ff02::1]',
];

/** Names with the addresses that they resolve to. */
const names: Record<string, readonly string[]> = {
  localhost: ['127.0.0.1', '::1'],
  'deep.localhost': ['127.0.0.1'],
  'loopback.test': ['127.0.0.1'],
  'metadata.test': ['169.254.169.254'],
  'mixed.test': ['8.8.8.8', '127.0.0.1'],
  'mixed-last.test': ['2a00::1', '8.8.8.8', '10.0.0.1'],
  'mapped.test': ['::ffff:127.0.0.1'],
  'nat64.test': ['64:ff9b::7f00:1'],
  'zone.test': ['fe80::1%lo'],
  'junk.test': ['127.1'],
};

describe('an address that is not public', () => {
  const hosts = [...literals, ...Object.keys(names)];

  it.each(hosts)('is not connected to as %s', async (host) => {
    let reached = 0;
    const canary = await started(startTcpServer(() => void reached++));
    const egress = openEgress({}, { resolve: async (name) => (names[name] ?? []).map(toLookup) });
    for (const scheme of ['http', 'https']) {
      const outcome = await egress.send(get(`${scheme}://${host}:${canary.port}/`));
      expect(failureOf(outcome)).toMatchObject({ reason: 'blocked', permanent: true });
    }
    expect(reached).toBe(0);
    expect(egress.stats()).toMatchObject({ connections: 0, origins: 0 });
  });

  it('is not reached by a name that changes its address between the check and the connect', async () => {
    // Two loopback addresses, one of which stands for the public internet.
    const outside = await started(startReceiver(200, { host: '127.0.0.2' }));
    let reached = 0;
    const canary = await started(startReceiver(() => ++reached, { port: outside.port }));
    const answers = ['127.0.0.2', '127.0.0.1', '127.0.0.1'];
    let asked = 0;
    const resolve = async (): Promise<LookupAddress[]> => [toLookup(answers[asked++] ?? '')];
    const egress = openEgress({}, { allow: ['127.0.0.2'], resolve });
    const url = `http://rebinding.test:${outside.port}/`;

    const first = responseOf(await egress.send(get(url)));
    expect(first.statusCode).toBe(200);
    expect(asked).toBe(1);
    // The connection that was checked is used again; a new one is checked anew.
    await egress.send(get(url));
    expect(asked).toBe(1);
    outside.follow({ kind: 'reset' });
    const second = failureOf(await egress.send(get(url)));
    expect(second).toMatchObject({ reason: 'blocked', resent: true });
    expect(failureOf(await egress.send(get(url))).reason).toBe('blocked');
    expect(outside.connectionsOpened).toBe(1);
    expect(canary.connectionsOpened).toBe(0);
  });

  it.each([301, 302, 303, 307, 308])('is not reached by a redirect with %i', async (status) => {
    const canary = await started(startReceiver());
    const location = `http://127.0.0.1:${canary.port}/inside`;
    const redirect = { kind: 'redirect', location, status } as const;
    const outside = await started(startReceiver(redirect, { host: '127.0.0.2' }));
    const egress = openEgress({}, { allow: ['127.0.0.2'] });
    const response = responseOf(await egress.send(get(outside.url)));
    expect(response.statusCode).toBe(status);
    expect(response.headers).toContainEqual(['location', location]);
    expect(canary.connectionsOpened).toBe(0);
  });
});

function toLookup(address: string): LookupAddress {
  return { address, family: address.includes(':') ? 6 : 4 };
}
