import type { Authenticator, Caller } from '@posthaste/access';
import { parseChannel } from '@posthaste/appsync-server';
import { afterEach, expect, it, vi } from 'vitest';
import { PlatformIdentity } from './platform-identity.js';

const caller: Caller = {
  ...{ id: 'key', name: 'key', kind: 'key', scopes: ['realtime:publish'], applications: ['shop'] },
  expiresAt: null,
};
const channel = parseChannel('/default/a') ?? expect.fail('it is a channel');

function identityOf(known: Partial<Authenticator>): PlatformIdentity {
  const authenticator = { findCached: () => undefined, hasEnded: () => false, ...known };
  return new PlatformIdentity({
    ...{ text: 'phk_key', caller, application: 'shop' },
    authenticator: authenticator as Authenticator,
  });
}

afterEach(() => {
  vi.useRealTimers();
});

it('asks the client to try again with a credential that was not checked for ten seconds', () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  const identity = identityOf({});
  vi.advanceTimersByTime(9_000);
  expect(identity.mayUse('publish', channel)).toBe(true);
  vi.advanceTimersByTime(1_500);
  expect(() => identity.mayUse('publish', channel)).toThrow('try again');
});

it('refuses a credential that has ended, and one without the right', () => {
  expect(identityOf({ hasEnded: () => true }).mayUse('publish', channel)).toBe(false);
  const checked = identityOf({ findCached: () => caller });
  expect(checked.mayUse('publish', channel)).toBe(true);
  expect(checked.mayUse('subscribe', channel)).toBe(false);
});
