import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ErrorCode, type ErrorCodeEntry, errorCodes } from './error-codes.js';
import { type ErrorType, httpStatusOf, isRetryable } from './error-types.js';
import { PlatformError, toProblemDetails } from './errors.js';

const catalogue = Object.entries(errorCodes) as [ErrorCode, ErrorCodeEntry][];
const anyCode = fc.constantFrom(...catalogue.map(([code]) => code));

describe('the catalogue of codes', () => {
  it.each(catalogue)('%s is upper snake case, typed, and explained in one line', (code, entry) => {
    expect(code).toMatch(/^[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*$/);
    expect(httpStatusOf).toHaveProperty(entry.type);
    expect(entry.meaning).toMatch(/^[A-Z`][^\n]*\.$/);
    expect(entry.meaning.length).toBeLessThanOrEqual(160);
  });

  it('uses every type that has a status', () => {
    const used = new Set<ErrorType>(catalogue.map(([, entry]) => entry.type));
    expect([...used].sort()).toEqual(Object.keys(httpStatusOf).sort());
  });

  it('gives each type its own status, and only error statuses', () => {
    const statuses = Object.values(httpStatusOf);
    expect(new Set(statuses).size).toBe(statuses.length);
    for (const status of statuses) expect(status).toBeGreaterThanOrEqual(400);
  });

  it('calls exactly those types retryable whose cause can pass by itself', () => {
    const types = Object.keys(httpStatusOf) as ErrorType[];
    expect(types.filter(isRetryable)).toEqual(['rate_limited', 'unavailable', 'timeout']);
  });
});

describe('PlatformError', () => {
  it('takes type, status and retryability from its code', () => {
    const error = new PlatformError('DATABASE_UNAVAILABLE', 'no response from the database');
    expect(error).toBeInstanceOf(Error);
    expect(error).toMatchObject({
      name: 'PlatformError',
      code: 'DATABASE_UNAVAILABLE',
      type: 'unavailable',
      httpStatus: 503,
      retryable: true,
      details: undefined,
    });
  });

  it('keeps the cause and the details', () => {
    const cause = new Error('ECONNREFUSED');
    const error = new PlatformError('CALLBACK_INVALID', 'url is missing', {
      cause,
      details: [{ field: 'url' }],
    });
    expect(error.cause).toBe(cause);
    expect(error.details).toEqual([{ field: 'url' }]);
  });
});

describe('toProblemDetails', () => {
  it('writes RFC 9457 problem details with the code', () => {
    const error = new PlatformError('CALLBACK_NOT_FOUND', 'no callback 7', { details: { id: 7 } });
    expect(toProblemDetails(error, 'request-1')).toEqual({
      type: 'urn:posthaste:error:CALLBACK_NOT_FOUND',
      title: errorCodes.CALLBACK_NOT_FOUND.meaning,
      status: 404,
      detail: 'no callback 7',
      code: 'CALLBACK_NOT_FOUND',
      retryable: false,
      instance: 'request-1',
      details: { id: 7 },
    });
  });

  it('leaves out members that are not known', () => {
    const problem = toProblemDetails(new PlatformError('STOPPING', 'stopping'));
    expect(problem).not.toHaveProperty('instance');
    expect(problem).not.toHaveProperty('details');
  });

  it('discloses no details of an internal failure', () => {
    fc.assert(
      fc.property(anyCode, (code) => {
        const error = new PlatformError(code, 'hunter2', { details: 'hunter2' });
        const body = JSON.stringify(toProblemDetails(error));
        expect(body.includes('hunter2')).toBe(error.type !== 'internal');
      }),
    );
  });
});
