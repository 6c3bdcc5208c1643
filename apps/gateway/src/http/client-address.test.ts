import { describe, expect, it } from 'vitest';
import { createNetworkCheck, toClientNetwork } from './client-address.js';

describe('the name under which an address is counted', () => {
  it.each([
    ['203.0.113.7', '203.0.113.7'],
    ['::ffff:203.0.113.7', '203.0.113.7'],
    ['::FFFF:203.0.113.7', '203.0.113.7'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:0DB8:0001:0002::9', '2001:db8:1:2::/64'],
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ])('of %s is %s', (address, network) => {
    expect(toClientNetwork(address)).toBe(network);
  });
});

describe('the check of networks', () => {
  const isTrusted = createNetworkCheck(['10.0.0.0/8', '192.0.2.1', '2001:db8::/32']);

  it.each(['10.1.2.3', '::ffff:10.1.2.3', '192.0.2.1', '2001:db8::7'])('finds %s', (address) => {
    expect(isTrusted(address)).toBe(true);
  });

  it.each(['11.0.0.1', '192.0.2.2', '2001:db9::7', ''])('does not find %j', (address) => {
    expect(isTrusted(address)).toBe(false);
  });

  it('finds nothing without networks', () => {
    expect(createNetworkCheck([])('10.1.2.3')).toBe(false);
  });
});
