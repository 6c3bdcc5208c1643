import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PlatformError } from '@posthaste/contracts';
import { afterAll, describe, expect, expectTypeOf, it } from 'vitest';
import type { SettingFault } from './definition.js';
import { type Environment, readSettings } from './read.js';

const definitions = {
  port: {
    name: 'POSTHASTE_PORT',
    type: 'integer',
    min: 0,
    max: 65_535,
    default: 8_080,
    meaning: '',
  },
  name: { name: 'POSTHASTE_DATA_DIR', type: 'string', meaning: '' },
  verbose: { name: 'POSTHASTE_DOCS', type: 'boolean', default: false, meaning: '' },
  wait: {
    name: 'POSTHASTE_STOP_TIMEOUT',
    type: 'duration',
    min: 0,
    max: 60_000,
    default: 5_000,
    meaning: '',
  },
  level: {
    name: 'POSTHASTE_LOG_LEVEL',
    type: 'choice',
    choices: ['info', 'debug'],
    default: 'info',
    meaning: '',
  },
  database: { name: 'DATABASE_URL', type: 'url', schemes: ['postgres'], secret: true, meaning: '' },
  brokers: { name: 'KAFKA_BROKERS', type: 'list', items: 'address', default: [], meaning: '' },
  key: { name: 'POSTHASTE_SECRET_KEY', type: 'key', bytes: 4, secret: true, meaning: '' },
} as const;

const folder = mkdtempSync(join(tmpdir(), 'posthaste-settings-'));
afterAll(() => rmSync(folder, { recursive: true }));

function faultsOf(environment: Environment): readonly string[] {
  try {
    readSettings(environment, definitions);
  } catch (error) {
    if (!(error instanceof PlatformError)) throw error;
    expect(error.code).toBe('CONFIG_INVALID');
    return (error.details as SettingFault[]).map((fault) => fault.message);
  }
  return [];
}

describe('values', () => {
  it('gives the defaults when nothing is set', () => {
    expect(readSettings({}, definitions)).toEqual({
      port: 8_080,
      name: undefined,
      verbose: false,
      wait: 5_000,
      level: 'info',
      database: undefined,
      brokers: [],
      key: undefined,
    });
  });

  it('reads every type', () => {
    const values = readSettings(
      {
        POSTHASTE_PORT: ' 0 ',
        POSTHASTE_DATA_DIR: '/data',
        POSTHASTE_DOCS: 'TRUE',
        POSTHASTE_STOP_TIMEOUT: '1m',
        POSTHASTE_LOG_LEVEL: 'debug',
        DATABASE_URL: 'postgres://u:p@localhost/x',
        KAFKA_BROKERS: 'a:9092, [::1]:9093,,',
        POSTHASTE_SECRET_KEY: 'AAECAw==',
        PATH: '/bin',
      },
      definitions,
    );
    expect(values).toEqual({
      port: 0,
      name: '/data',
      verbose: true,
      wait: 60_000,
      level: 'debug',
      database: 'postgres://u:p@localhost/x',
      brokers: ['a:9092', '[::1]:9093'],
      key: new Uint8Array([0, 1, 2, 3]),
    });
    expectTypeOf(values.port).toEqualTypeOf<number>();
    expectTypeOf(values.name).toEqualTypeOf<string | undefined>();
    expectTypeOf(values.level).toEqualTypeOf<'info' | 'debug'>();
    expectTypeOf(values.brokers).toEqualTypeOf<readonly string[]>();
    expectTypeOf(values.key).toEqualTypeOf<Uint8Array | undefined>();
  });

  it('treats an empty variable as not set', () => {
    expect(readSettings({ POSTHASTE_PORT: '  ' }, definitions).port).toBe(8_080);
  });

  it.each([
    ['0', 0],
    ['250ms', 250],
    ['30s', 30_000],
    ['1 m', 60_000],
  ])('reads the duration %s as %i ms', (text, ms) => {
    expect(readSettings({ POSTHASTE_STOP_TIMEOUT: text }, definitions).wait).toBe(ms);
  });
});

describe('faults', () => {
  it('lists all of them at once', () => {
    expect(
      faultsOf({
        POSTHASTE_PORT: '65536',
        POSTHASTE_DOCS: 'maybe',
        POSTHASTE_STOP_TIMEOUT: '2m',
        POSTHASTE_LOG_LEVEL: 'loud',
        KAFKA_BROKERS: 'a:9092,b',
        POSTHASTE_PROT: '1',
      }),
    ).toEqual([
      'POSTHASTE_PORT is "65536", which is not from 0 to 65535.',
      'POSTHASTE_DOCS is "maybe", which is not true or false.',
      'POSTHASTE_STOP_TIMEOUT is "2m", which is not from 0 to 1m.',
      'POSTHASTE_LOG_LEVEL is "loud", which is not one of info, debug.',
      'KAFKA_BROKERS is "a:9092,b", which has the item "b", which is not a host and port such as broker:9092.',
      'POSTHASTE_PROT is not a setting. Did you mean POSTHASTE_PORT?',
    ]);
  });

  it.each(['1.5', '1e3', '0x10', '-1', 'NaN', '９'])('refuses %s as a whole number', (text) => {
    expect(faultsOf({ POSTHASTE_PORT: text })).toHaveLength(1);
  });

  it.each(['30', '1.5s', '-1s', 's', '5 minutes'])('refuses %s as a duration', (text) => {
    expect(faultsOf({ POSTHASTE_STOP_TIMEOUT: text })).toHaveLength(1);
  });

  it('names a required variable that is missing', () => {
    const required = {
      url: { name: 'X_URL', type: 'string', required: true, meaning: '' },
    } as const;
    expect(() => readSettings({}, required)).toThrow('X_URL is not set, but it is required.');
  });

  it('adds the faults of rules between settings, which see faulty settings as undefined', () => {
    const seen: unknown[] = [];
    const read = () =>
      readSettings({ POSTHASTE_PORT: 'x', POSTHASTE_DOCS: '1' }, definitions, {
        check: (values) => {
          seen.push(values.port, values.verbose);
          return [{ name: 'POSTHASTE_DOCS', message: 'POSTHASTE_DOCS does not go with that.' }];
        },
      });
    expect(read).toThrow(/POSTHASTE_PORT is "x"[\s\S]*does not go with that/);
    expect(seen).toEqual([undefined, true]);
  });

  it('accepts the settings of all apps, whichever app reads', () => {
    expect(faultsOf({ POSTHASTE_RATE_LIMIT: 'not read here' })).toEqual([]);
  });

  it('suggests nothing for a word that resembles no setting', () => {
    expect(faultsOf({ POSTHASTE_XYLOPHONE_TUNING: '1' })).toEqual([
      'POSTHASTE_XYLOPHONE_TUNING is not a setting.',
    ]);
  });
});

describe('secrets', () => {
  it('come from a file, without the newline at its end', () => {
    const file = join(folder, 'url');
    writeFileSync(file, 'postgres://u:p@db/x\n');
    expect(readSettings({ DATABASE_URL_FILE: file }, definitions).database).toBe(
      'postgres://u:p@db/x',
    );
  });

  it('never appear in a fault', () => {
    const file = join(folder, 'wrong');
    writeFileSync(file, 'mysql://u:hunter2@db/x');
    const faults = [
      ...faultsOf({ DATABASE_URL: 'mysql://u:hunter2@db/x' }),
      ...faultsOf({ DATABASE_URL_FILE: file }),
      ...faultsOf({ POSTHASTE_SECRET_KEY: 'hunter2' }),
    ];
    expect(faults).toEqual([
      'DATABASE_URL is not a URL that starts with postgres://.',
      'The content of DATABASE_URL_FILE is not a URL that starts with postgres://.',
      'POSTHASTE_SECRET_KEY is not 4 bytes in base64; `openssl rand -base64 4` creates such a key.',
    ]);
  });

  it('are refused when given twice, or when their file is missing or empty', () => {
    const empty = join(folder, 'empty');
    writeFileSync(empty, '\n');
    expect(faultsOf({ DATABASE_URL: 'postgres://a', DATABASE_URL_FILE: empty })).toEqual([
      'DATABASE_URL and DATABASE_URL_FILE are both set; remove one.',
    ]);
    expect(faultsOf({ DATABASE_URL_FILE: empty })).toEqual([
      `DATABASE_URL_FILE names the file ${empty}, which is empty.`,
    ]);
    expect(faultsOf({ DATABASE_URL_FILE: join(folder, 'none') })[0]).toContain('ENOENT');
  });

  it('alone may come from a file', () => {
    expect(faultsOf({ POSTHASTE_PORT_FILE: '/x' })).toHaveLength(1);
  });
});
