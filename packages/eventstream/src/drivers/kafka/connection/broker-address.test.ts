import { createServer } from 'node:net';
import { describe, expect, it } from 'vitest';
import { findBrokerFault, Ipv6Names, parseBroker } from './broker-address.js';
import { resolveKafkaOptions } from './kafka-options.js';
import { createKafkajsClient } from './kafkajs-client.js';

describe('parseBroker', () => {
  it.each([
    ['kafka:9092', { host: 'kafka', port: 9092 }],
    ['kafka-1.internal_x:1', { host: 'kafka-1.internal_x', port: 1 }],
    ['10.0.0.1:65535', { host: '10.0.0.1', port: 65_535 }],
    ['[::1]:9092', { host: '::1', port: 9092 }],
    ['[2001:db8::7]:9092', { host: '2001:db8::7', port: 9092 }],
  ])('reads %s', (text, address) => {
    expect(parseBroker(text)).toEqual(address);
    expect(findBrokerFault(text)).toBeUndefined();
  });

  it.each([
    ['kafka', 'which is not host:port'],
    ['kafka:0', 'with a port from 1 to 65535'],
    ['kafka:65536', 'with a port from 1 to 65535'],
    ['kafka:', 'which is not host:port'],
    [':9092', 'which is not host:port'],
    ['kafka:9092/', 'which is not host:port'],
    ['user@kafka:9092', 'which is not host:port'],
    ['[kafka]:9092', 'which is not host:port'],
    ['kafka://kafka:9092', 'leave out kafka://'],
    ['SASL_SSL://kafka:9092', 'leave out SASL_SSL://'],
    ['::1:9092', 'give an IPv6 address as [::1]:9092'],
    ['::1', 'give an IPv6 address as [::1]:9092'],
  ])('refuses %s, which %s', (text, reason) => {
    expect(parseBroker(text)).toBeUndefined();
    expect(findBrokerFault(text)).toContain(reason);
  });
});

describe('Ipv6Names', () => {
  it('gives kafkajs a name for an IPv6 address, and opens the address', () => {
    const names = new Ipv6Names();
    expect(names.toName('kafka:9092')).toBe('kafka:9092');
    expect(names.toName('[2001:db8::7]:9092')).toBe('2001-db8--7.ipv6-literal.net:9092');
    expect(names.toHost('2001-db8--7.ipv6-literal.net')).toBe('2001:db8::7');
    expect(names.toHost('kafka')).toBe('kafka');
  });

  it('makes a client of kafkajs connect to an IPv6 address', async () => {
    const { promise: connected, resolve } = Promise.withResolvers<string | undefined>();
    const server = createServer((socket) => {
      resolve(socket.remoteAddress);
      socket.destroy();
    });
    await new Promise<void>((listening) => server.listen(0, '::1', listening));
    const { port } = server.address() as { port: number };
    const admin = createKafkajsClient(resolveKafkaOptions({ brokers: [`[::1]:${port}`] })).admin();
    const failed = admin.connect().catch(() => undefined);
    expect(await connected).toBe('::1');
    await admin.disconnect();
    await failed;
    server.close();
  });
});
