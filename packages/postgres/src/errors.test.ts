import { PlatformError } from '@posthaste/contracts';
import pg from 'pg';
import { describe, expect, it } from 'vitest';
import {
  type ErrorContext,
  endsSession,
  sqlState,
  toConnectError,
  toPlatformError,
} from './errors.js';

/** Returns an error as the driver makes it from an error of the server. */
function serverError(code: string, severity = 'ERROR'): Error {
  const error = new pg.DatabaseError('from the server', 0, 'error');
  return Object.assign(error, { code, severity });
}

const systemError = Object.assign(new Error('write EPIPE'), { code: 'EPIPE' });

describe('sqlState', () => {
  it('is found by following causes', () => {
    const cause = new PlatformError('DATABASE_ERROR', 'x', { cause: serverError('23505') });
    expect(sqlState(new Error('outer', { cause }))).toBe('23505');
  });

  it('is not the code of a system error', () => {
    expect(sqlState(systemError)).toBeUndefined();
    expect(sqlState('23505')).toBeUndefined();
    expect(sqlState(undefined)).toBeUndefined();
  });
});

describe('toPlatformError', () => {
  interface Case {
    readonly error: Error;
    readonly connection: ErrorContext['connection'];
    readonly commits: boolean;
    readonly code: string;
  }
  const cases: readonly Case[] = [
    {
      error: serverError('57P01'),
      connection: 'lost',
      commits: false,
      code: 'DATABASE_UNAVAILABLE',
    },
    {
      error: serverError('57P01'),
      connection: 'lost',
      commits: true,
      code: 'DATABASE_OUTCOME_UNKNOWN',
    },
    {
      error: serverError('57P03'),
      connection: 'good',
      commits: false,
      code: 'DATABASE_UNAVAILABLE',
    },
    {
      error: serverError('08006'),
      connection: 'lost',
      commits: false,
      code: 'DATABASE_UNAVAILABLE',
    },
    { error: serverError('08P01'), connection: 'good', commits: true, code: 'DATABASE_ERROR' },
    {
      error: serverError('XX000', 'PANIC'),
      connection: 'lost',
      commits: true,
      code: 'DATABASE_OUTCOME_UNKNOWN',
    },
    {
      error: serverError('53100', 'PANIC'),
      connection: 'lost',
      commits: true,
      code: 'DATABASE_OUTCOME_UNKNOWN',
    },
    {
      error: serverError('53100', 'PANIC'),
      connection: 'lost',
      commits: false,
      code: 'DATABASE_FULL',
    },
    { error: serverError('53100'), connection: 'good', commits: true, code: 'DATABASE_FULL' },
    { error: serverError('25006'), connection: 'good', commits: true, code: 'DATABASE_READ_ONLY' },
    { error: serverError('40001'), connection: 'good', commits: true, code: 'DATABASE_CONFLICT' },
    { error: serverError('57014'), connection: 'good', commits: true, code: 'DATABASE_TIMEOUT' },
    { error: serverError('23505'), connection: 'good', commits: true, code: 'DATABASE_ERROR' },
    { error: systemError, connection: 'lost', commits: false, code: 'DATABASE_UNAVAILABLE' },
    { error: systemError, connection: 'lost', commits: true, code: 'DATABASE_OUTCOME_UNKNOWN' },
    { error: systemError, connection: 'silent', commits: false, code: 'DATABASE_TIMEOUT' },
    { error: systemError, connection: 'silent', commits: true, code: 'DATABASE_OUTCOME_UNKNOWN' },
    {
      error: new Error('a decoder threw'),
      connection: 'good',
      commits: true,
      code: 'DATABASE_ERROR',
    },
  ];

  it.each(cases)('$error, connection $connection, commits $commits: $code', (each) => {
    const { error, connection, commits, code } = each;
    const translated = toPlatformError(error, { connection, mayHaveCommitted: commits });
    expect(translated).toMatchObject({ code, cause: error });
    expect(translated.retryable).toBe(code !== 'DATABASE_ERROR');
  });

  it('returns a PlatformError unchanged', () => {
    const error = new PlatformError('STOPPING', 'x');
    expect(toPlatformError(error, { connection: 'lost', mayHaveCommitted: true })).toBe(error);
  });
});

describe('toConnectError', () => {
  it.each([
    [systemError, 'DATABASE_UNAVAILABLE'],
    [serverError('53300', 'FATAL'), 'DATABASE_FULL'],
    [serverError('57P03', 'FATAL'), 'DATABASE_UNAVAILABLE'],
    [serverError('28P01', 'FATAL'), 'DATABASE_ERROR'],
    [serverError('3D000', 'FATAL'), 'DATABASE_ERROR'],
  ])('%s is %s', (error, code) => {
    expect(toConnectError(error)).toMatchObject({ code });
  });

  it('has a message when all addresses of a host failed', () => {
    const error = new AggregateError([new Error('connect ECONNREFUSED ::1:5432')], '');
    expect(toConnectError(error).message).toBe('connect ECONNREFUSED ::1:5432');
  });
});

describe('endsSession', () => {
  it.each([
    [serverError('57P01'), true],
    // From a server that translates severities.
    [serverError('57P01', 'SCHWERWIEGEND'), true],
    [serverError('28P01', 'FATAL'), true],
    [serverError('23505'), false],
    [serverError('08P01'), false],
    [systemError, false],
  ])('%s: %s', (error, ends) => {
    expect(endsSession(error)).toBe(ends);
  });
});
