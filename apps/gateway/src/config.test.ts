import { PlatformError } from '@posthaste/contracts';
import { describe, expect, it } from 'vitest';
import { readGatewayConfig } from './config.js';

const database = {
  DATABASE_URL: 'postgres://db/x',
  POSTHASTE_SECRET_KEY: Buffer.alloc(32).toString('base64'),
};

function faultOf(environment: Record<string, string>): string {
  try {
    readGatewayConfig(environment);
  } catch (error) {
    if (error instanceof PlatformError && error.code === 'CONFIG_INVALID') return error.message;
    throw error;
  }
  return 'none';
}

describe('the configuration of the gateway', () => {
  it('by default listens on loopback, without keys', () => {
    const { gateway, platform } = readGatewayConfig(database);
    expect(gateway).toMatchObject({ host: '127.0.0.1', port: 8_080, access: 'loopback' });
    expect(platform.databaseUrl).toBe('postgres://db/x');
  });

  it('needs keys on any other address, and on loopback with POSTHASTE_ACCESS=keys', () => {
    const elsewhere = readGatewayConfig({ ...database, POSTHASTE_HOST: '0.0.0.0' });
    const onLoopback = readGatewayConfig({ ...database, POSTHASTE_ACCESS: 'keys' });
    expect(elsewhere.gateway.access).toBe('keys');
    expect(onLoopback.gateway.access).toBe('keys');
  });

  it.each(['0.0.0.0', '::', '192.168.1.7', 'gateway.internal'])(
    'refuses to listen on %s without keys',
    (host) => {
      const fault = faultOf({ ...database, POSTHASTE_HOST: host, POSTHASTE_ACCESS: 'loopback' });
      expect(fault).toContain(`POSTHASTE_HOST ${host} can be reached from other machines`);
    },
  );

  it.each(['127.0.0.1', '127.8.9.10', '::1', 'localhost'])('accepts %s as loopback', (host) => {
    expect(faultOf({ ...database, POSTHASTE_HOST: host, POSTHASTE_ACCESS: 'loopback' })).toBe(
      'none',
    );
  });

  it('passes realtime events on over Kafka if it is told to, and then needs brokers', () => {
    const asked = { ...database, POSTHASTE_REALTIME_FANOUT: 'kafka' };
    expect(faultOf(asked)).toContain('KAFKA_BROKERS is not set');
    const kafka = { KAFKA_BROKERS: 'a:9092', POSTHASTE_KAFKA_PREFIX: 'shop' };
    expect(readGatewayConfig({ ...asked, ...kafka }).realtime.fanOut).toEqual({
      connection: { brokers: ['a:9092'], tls: false },
      prefix: 'shop',
    });
    expect(readGatewayConfig({ ...database, ...kafka }).realtime.fanOut).toBeUndefined();
    expect(faultOf({ ...database, POSTHASTE_KAFKA_PREFIX: '.x' })).toContain('no dot at its start');
  });

  it('lists all faults at once: single settings, pairs of settings and misspelt names', () => {
    const fault = faultOf({
      POSTHASTE_PORT: 'eighty',
      POSTHASTE_HOST: '0.0.0.0',
      POSTHASTE_ACCESS: 'loopback',
      POSTHASTE_HEADERS_TIMEOUT: '1m',
      POSTHASTE_REQUEST_TIMEOUT: '30s',
      POSTHASTE_CALLBACK_TIMEOUT: '30s',
      POSTHASTE_ALLOWED_HOST: 'x',
    });
    expect(fault.split('\n').slice(1)).toEqual([
      '  - DATABASE_URL is not set, but it is required.',
      '  - POSTHASTE_SECRET_KEY is not set, but it is required.',
      expect.stringContaining('POSTHASTE_PORT is "eighty"'),
      expect.stringContaining('POSTHASTE_ACCESS is "loopback"'),
      expect.stringContaining('POSTHASTE_HEADERS_TIMEOUT is above POSTHASTE_REQUEST_TIMEOUT'),
      expect.stringContaining('POSTHASTE_CALLBACK_LEASE must be at least 2000 ms above'),
      expect.stringContaining('Did you mean POSTHASTE_ALLOWED_HOSTS?'),
    ]);
  });
});
