import { PlatformError } from '@posthaste/contracts';
import { describe, expect, it } from 'vitest';
import { type CallbackInput, toCallbackRequest } from './request.js';

const rules = { defaultTimeoutMs: 15_000, maxTimeoutMs: 30_000, urlFault: () => undefined };
const url = 'http://example.com/';

describe('a value that the database cannot store', () => {
  // One such callback would make the statement fail that stores others as well.
  it.each<[string, CallbackInput]>([
    ['url', { url: `http://${'a'.repeat(254)}/` }],
    ['url', { url: `${url}\u0000` }],
    ['notificationEmail', { url, notificationEmail: 'a\u0000@example.com' }],
    ['application', { url, application: 'a\u0000' }],
    ['queue', { url, queue: 'q\u0000' }],
    ['secret', { url, secret: 's\u0000' }],
  ])('is refused as %s', (field, input) => {
    const faultsOf = (): unknown => {
      try {
        return toCallbackRequest(input, rules);
      } catch (error) {
        return error;
      }
    };
    const fault = faultsOf();
    expect(fault).toBeInstanceOf(PlatformError);
    expect(fault).toMatchObject({
      code: 'CALLBACK_INVALID',
      message: expect.stringContaining(field),
    });
  });
});
