import { PlatformError } from '@posthaste/contracts';
import pg from 'pg';
import { describe, expect, it } from 'vitest';
import {
  type Circumstances,
  endsSession,
  sqlState,
  toConnectError,
  toPlatformError,
} from './errors.js';

/** An error as the driver makes it from the server's. */
function serverError(code: string, severity = 'ERROR'): Error {
  const error = new pg.DatabaseError('from the server', 0, 'error');
  return Object.assign(error, { code, severity });
}

const systemError = Object.assign(new Error('write EPIPE'), { code: 'EPIPE' });

describe('sqlState', () => {
  it('is found through causes', () => {
    const cause = new PlatformError('DATABASE_ERROR', 'x', { cause: serverError('23505') });
    expect(sqlState(new Error('outer', { cause }))).toBe('23505');
  });

  it('is not mistaken for the code of a system error', () => {
    expect(sqlState(systemError)).toBeUndefined();
    expect(sqlState('23505')).toBeUndefined();
    expect(sqlState(undefined)).toBeUndefined();
  });
});

describe('toPlatformError', () => {
  const cases: readonly (readonly [Error, Circumstances['connection'], boolean, string])[] = [
    [serverError('57P01'), 'lost', false, 'DATABASE_UNAVAILABLE'],
    [serverError('57P01'), 'lost', true, 'DATABASE_OUTCOME_UNKNOWN'],
    [serverError('57P03'), 'good', false, 'DATABASE_UNAVAILABLE'],
    [serverError('08006'), 'lost', false, 'DATABASE_UNAVAILABLE'],
    [serverError('08P01'), 'good', true, 'DATABASE_ERROR'],
    [serverError('XX000', 'PANIC'), 'lost', true, 'DATABASE_OUTCOME_UNKNOWN'],
    [serverError('53100', 'PANIC'), 'lost', true, 'DATABASE_OUTCOME_UNKNOWN'],
    [serverError('53100', 'PANIC'), 'lost', false, 'DATABASE_FULL'],
    [serverError('53100'), 'good', true, 'DATABASE_FULL'],
    [serverError('25006'), 'good', true, 'DATABASE_READ_ONLY'],
    [serverError('40001'), 'good', true, 'DATABASE_CONFLICT'],
    [serverError('57014'), 'good', true, 'DATABASE_TIMEOUT'],
    [serverError('23505'), 'good', true, 'DATABASE_ERROR'],
    [systemError, 'lost', false, 'DATABASE_UNAVAILABLE'],
    [systemError, 'lost', true, 'DATABASE_OUTCOME_UNKNOWN'],
    [systemError, 'silent', false, 'DATABASE_TIMEOUT'],
    [systemError, 'silent', true, 'DATABASE_OUTCOME_UNKNOWN'],
    [new Error('a decoder threw'), 'good', true, 'DATABASE_ERROR'],
  ];

  it.each(cases)('%s, connection %s, commits %s: %s', (error, connection, commits, code) => {
    const translated = toPlatformError(error, { connection, mayHaveCommitted: commits });
    expect(translated).toMatchObject({ code, cause: error });
    expect(translated.retryable).toBe(code !== 'DATABASE_ERROR');
  });

  it('leaves a PlatformError as it is', () => {
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

  it('gives a reason when several addresses were tried in vain', () => {
    const error = new AggregateError([new Error('connect ECONNREFUSED ::1:5432')], '');
    expect(toConnectError(error).message).toBe('connect ECONNREFUSED ::1:5432');
  });
});

describe('endsSession', () => {
  it.each([
    [serverError('57P01'), true],
    // A server that translates severities.
    [serverError('57P01', 'SCHWERWIEGEND'), true],
    [serverError('28P01', 'FATAL'), true],
    [serverError('23505'), false],
    [serverError('08P01'), false],
    [systemError, false],
  ])('%s: %s', (error, ends) => {
    expect(endsSession(error)).toBe(ends);
  });
});
