import type { LookupAddress } from 'node:dns';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type AddressGuard, createAddressGuard } from './address-guard.js';

const denied: Record<string, readonly string[]> = {
  loopback: ['127.0.0.1', '127.255.255.254', '::1'],
  private: ['10.0.0.1', '172.16.0.1', '172.31.255.255', '192.168.0.1'],
  'link-local': ['169.254.0.1', 'fe80::1', 'febf::1'],
  'cloud metadata': ['169.254.169.254', '100.100.100.200', '168.63.129.16', 'fd00:ec2::254'],
  'carrier-grade NAT': ['100.64.0.1', '100.127.255.255'],
  unspecified: ['0.0.0.0', '0.1.2.3', '::'],
  broadcast: ['255.255.255.255'],
  multicast: ['224.0.0.1', '239.255.255.255', 'ff02::1'],
  reserved: ['192.0.0.8', '192.0.2.1', '198.18.0.1', '198.51.100.1', '203.0.113.1', '240.0.0.1'],
  'unique local': ['fc00::1', 'fdff::1'],
  'site-local': ['fec0::1'],
  'IPv4-mapped': ['::ffff:8.8.8.8', '::ffff:7f00:1'],
  'IPv4-compatible': ['::808:808', '::7f00:1'],
  'IPv4-translated': ['::ffff:0:8.8.8.8'],
  NAT64: ['64:ff9b::8.8.8.8', '64:ff9b:1::8.8.8.8'],
  '6to4': ['2002:808:808::'],
  Teredo: ['2001:0:808:808::f7f7:f7f7'],
};

describe('denialOf', () => {
  const guard = createAddressGuard();

  it.each(Object.entries(denied))('denies addresses that are %s', (range, addresses) => {
    expect(addresses.map(guard.denialOf)).toEqual(addresses.map(() => range));
  });

  it('denies documentation, benchmark and unassigned IPv6 space', () => {
    for (const address of ['2001:db8::1', '3fff::1', '2001:2::1', '100::1', '4000::1', '1::1']) {
      expect(guard.denialOf(address), address).toBeDefined();
    }
  });

  it('allows the public internet', () => {
    for (const address of ['8.8.8.8', '172.32.0.1', '100.128.0.1', '2606:4700::1111', '2a00::1']) {
      expect(guard.denialOf(address), address).toBeUndefined();
    }
  });

  it('denies text that is not an address', () => {
    for (const address of ['', 'example.com', '1.2.3', '0x7f.1', '::g']) {
      expect(guard.denialOf(address), address).toBe('not an address');
    }
  });

  it('denies every IPv6 form of a denied IPv4 address, however it is written', () => {
    const inside = fc.constantFrom([127, 0], [10, 1], [192, 168], [169, 254], [100, 64]);
    fc.assert(
      fc.property(inside, fc.nat(255), fc.nat(255), ([a = 0, b = 0], c, d) => {
        for (const form of formsOf([a, b, c, d])) expect(guard.denialOf(form), form).toBeDefined();
      }),
    );
  });
});

describe('the options that allow', () => {
  it('allow loopback and nothing else', () => {
    const guard = createAddressGuard({ allowLoopback: true });
    expect(guard.denialOf('127.0.0.1')).toBeUndefined();
    expect(guard.denialOf('::1')).toBeUndefined();
    expect(guard.denialOf('::ffff:127.0.0.1')).toBe('IPv4-mapped');
    expect(guard.denialOf('0.0.0.0')).toBe('unspecified');
    expect(guard.denialOf('10.0.0.1')).toBe('private');
  });

  it('allow a network or a single address', () => {
    const guard = createAddressGuard({ allow: ['10.1.0.0/16', '192.168.7.7', 'fd12::/16'] });
    expect(guard.denialOf('10.1.255.255')).toBeUndefined();
    expect(guard.denialOf('10.2.0.0')).toBe('private');
    expect(guard.denialOf('192.168.7.7')).toBeUndefined();
    expect(guard.denialOf('192.168.7.8')).toBe('private');
    expect(guard.denialOf('fd12::1')).toBeUndefined();
  });

  it('do not allow a denied address inside an allowed IPv6 form', () => {
    const guard = createAddressGuard({ allow: ['64:ff9b::/96', '2002::/16', '2001::/32'] });
    expect(guard.denialOf('64:ff9b::8.8.8.8')).toBeUndefined();
    expect(guard.denialOf('64:ff9b::10.0.0.1')).toBe('NAT64, with a private address inside');
    expect(guard.denialOf('2002:808:808::')).toBeUndefined();
    expect(guard.denialOf('2002:a9fe:a9fe::')).toBe('6to4, with a cloud metadata address inside');
    expect(guard.denialOf('2001:0:808:808::f7f7:f7f7')).toBeUndefined();
    expect(guard.denialOf('2001:0:808:808::80ff:fffe')).toBe(
      'Teredo, with a loopback address inside',
    );
  });

  it('refuse an entry that is not a network', () => {
    for (const entry of ['10.0.0.0/33', '10.0.0.0/', '10', '10.0/8', '0x7f.1', 'example.com', '']) {
      expect(() => createAddressGuard({ allow: [entry] })).toThrow(
        expect.objectContaining({ code: 'OPTION_INVALID' }),
      );
    }
  });
});

describe('checkUrl', () => {
  const { checkUrl } = createAddressGuard();

  it('accepts public addresses, and names that are not resolved yet', () => {
    for (const url of ['https://example.com/a?b#c', 'http://8.8.8.8:8080/', 'HTTP://[2a00::1]']) {
      expect(checkUrl(url), url).toBeUndefined();
    }
  });

  it.each([
    ['no scheme', '/callback'],
    ['no host', 'http://'],
    ['another scheme', 'ftp://example.com/'],
    ['a file', 'file:///etc/passwd'],
    ['credentials', 'https://user:secret@example.com/'],
    ['a user name', 'https://user@example.com/'],
    ['port 0', 'http://example.com:0/'],
    ['a port out of range', 'http://example.com:65536/'],
  ])('refuses a URL with %s', (_what, url) => {
    const problem = checkUrl(url);
    expect(problem?.reason).toBe('protocol');
    expect(problem?.detail).not.toContain('secret');
  });

  it('blocks a denied address in every notation, and the localhost names', () => {
    const hosts = [
      '127.1',
      '2130706433',
      '0x7f000001',
      '0177.0.0.1',
      '１２７.0.0.1',
      '%31%32%37.1',
    ];
    hosts.push('[::1]', '[::ffff:7f00:1]', 'localhost', 'LOCALHOST.', 'a.localhost', '10.0.0.1.');
    for (const host of hosts) expect(checkUrl(`http://${host}/`)?.reason, host).toBe('blocked');
  });

  it('allows localhost names if loopback is allowed', () => {
    const guard = createAddressGuard({ allowLoopback: true });
    expect(guard.checkUrl('http://localhost:9000/')).toBeUndefined();
  });
});

describe('lookup', () => {
  it('gives all addresses, or the first one, as requested', async () => {
    const guard = guardResolving('8.8.8.8', '2a00::1');
    const found = [
      { address: '8.8.8.8', family: 4 },
      { address: '2a00::1', family: 6 },
    ];
    expect(await lookUp(guard, { all: true })).toEqual(found);
    expect(await lookUp(guard, { all: false })).toBe('8.8.8.8');
  });

  it('refuses the whole name for one denied address, without naming the address', async () => {
    const error = await lookUp(guardResolving('8.8.8.8', '10.7.7.7'), { all: true });
    expect(error).toMatchObject({ code: 'ADDRESS_BLOCKED' });
    expect(String(error)).not.toContain('10.7.7.7');
  });

  it('refuses a name without addresses, and one that the resolver fails for', async () => {
    expect(await lookUp(guardResolving(), { all: true })).toBeInstanceOf(Error);
    const failing = createAddressGuard({ resolve: () => Promise.reject(new Error('no server')) });
    expect(String(await lookUp(failing, { all: true }))).toContain('no server');
  });

  it('resolves a name once while several connections wait for it, and again afterwards', async () => {
    let asked = 0;
    const resolve = async (): Promise<LookupAddress[]> => {
      asked += 1;
      return [{ address: '8.8.8.8', family: 4 }];
    };
    const guard = createAddressGuard({ resolve });
    await Promise.all([1, 2, 3].map(() => lookUp(guard, { all: true })));
    expect(asked).toBe(1);
    await lookUp(guard, { all: true });
    expect(asked).toBe(2);
  });
});

/** Returns the notations of an IPv4 address, and the IPv6 forms that hold it. */
function formsOf([a, b, c, d]: readonly [number, number, number, number]): string[] {
  const hex = (high: number, low: number): string => ((high << 8) | low).toString(16);
  const dotted = `${a}.${b}.${c}.${d}`;
  const groups = `${hex(a, b)}:${hex(c, d)}`;
  const inverted = `${hex(a ^ 255, b ^ 255)}:${hex(c ^ 255, d ^ 255)}`;
  return [
    dotted,
    ...['::', '::ffff:', '::ffff:0:', '64:ff9b::', '64:ff9b:1::'].flatMap((prefix) => [
      prefix + dotted,
      prefix + groups,
    ]),
    `2002:${groups}::`,
    `2001:0:808:808::${inverted}`,
  ];
}

function guardResolving(...addresses: string[]): AddressGuard {
  const found = addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
  return createAddressGuard({ resolve: async () => found });
}

function lookUp(guard: AddressGuard, options: { all: boolean }): Promise<unknown> {
  return new Promise((resolve) => {
    guard.lookup('example.com', options, (error, address) => resolve(error ?? address));
  });
}
