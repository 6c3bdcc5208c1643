import { parseChannel } from '@posthaste/contracts';
import { describe, expect, it } from 'vitest';
import type { Identity } from '../auth/authorizer.js';
import type { RealtimeError } from '../protocol/realtime-error.js';
import { allowOwn } from './channel-rules.js';
import type { Namespace } from './namespace.js';
import { namespaceSettingFaults } from './namespace-settings.js';
import { HandlerRunner } from './run-handlers.js';

const ann: Identity = {
  mode: 'OPENID_CONNECT',
  id: 'ann',
  realm: '',
  claims: { sub: 'ann', team: 'blue', star: '*', odd: 'a/b', number: 1 },
};

/** True if the rule lets the identity subscribe to the channel. */
function allows(pattern: string, path: string, identity: Identity = ann): boolean {
  const channel = parseChannel(path);
  if (channel === undefined) throw new Error(`no channel: ${path}`);
  const namespace = { name: channel.segments[0], handlers: { onSubscribe: allowOwn(pattern) } };
  try {
    void new HandlerRunner().subscribe(namespace, { identity, headers: {}, channel });
    return true;
  } catch (error) {
    expect(error).toMatchObject({ errorType: 'Forbidden' });
    return false;
  }
}

it("allows the principal's own channels, at every depth and by wildcard", () => {
  for (const path of ['/user/ann/a', '/user/ann/a/b/c', '/user/ann/*', '/user/ann/a/*']) {
    expect(allows('/user/{sub}/*', path), path).toBe(true);
  }
  expect(allows('/user/{sub}', '/user/ann')).toBe(true);
  expect(allows('user/{team}/x', '/user/blue/x')).toBe(true);
});

it('compares whole segments', () => {
  for (const path of [
    ...['/user/anna/a', '/user/an/a', '/user/Ann/a', '/user/bob/a', '/user/bob/ann'],
    ...['/user/ann', '/user', '/users/ann/a', '/user/a/ann', '/user/bob/*'],
  ]) {
    expect(allows('/user/{sub}/*', path), path).toBe(false);
  }
  expect(allows('/user/{sub}', '/user/ann/a')).toBe(false);
  expect(allows('/user/{sub}', '/user/ann/*')).toBe(false);
});

it('denies a wildcard that spans the segment of another principal', () => {
  expect(allows('/user/{sub}/*', '/user/*')).toBe(false);
  expect(allows('/user/{sub}', '/user/*')).toBe(false);
  expect(allows('/chat/{team}/{sub}/*', '/chat/blue/*')).toBe(false);
  expect(allows('/user/{sub}/*', '/user/*', { ...ann, id: '*' })).toBe(false);
  expect(allows('/user/{star}', '/user/*')).toBe(false);
});

it('denies a principal without the claim, or with one that is no segment', () => {
  for (const name of ['missing', 'odd', 'number', 'constructor', '__proto__']) {
    expect(allows(`/user/{${name}}/*`, '/user/a/b'), name).toBe(false);
  }
  const lambda: Identity = {
    mode: 'AWS_LAMBDA',
    id: 'x',
    realm: '',
    handlerContext: { user: 'u' },
  };
  expect(allows('/user/{user}/*', '/user/u/a', lambda)).toBe(true);
});

it('refuses patterns that no channel can match', () => {
  for (const pattern of [
    '',
    '/',
    '/*',
    '/a/*/b',
    '/a//b',
    '/a/{sub',
    '/a/x{sub}',
    '/1/2/3/4/5/6',
  ]) {
    expect(() => allowOwn(pattern), pattern).toThrow(
      expect.objectContaining({ code: 'OPTION_INVALID' }),
    );
  }
});

describe('own channels of a namespace', () => {
  const namespace: Namespace = { name: 'user', ownChannels: '/user/{sub}/*' };
  const attempt = (identity: Identity, path: string): string => {
    const channel = parseChannel(path);
    if (channel === undefined) throw new Error(`no channel: ${path}`);
    const request = { identity, headers: {}, channel };
    try {
      const runner = new HandlerRunner();
      void runner.subscribe(namespace, request);
      if (!channel.isWildcard) void runner.publish(namespace, { ...request, events: [] });
      return 'allowed';
    } catch (error) {
      return (error as RealtimeError).errorType;
    }
  };

  it.each(['OPENID_CONNECT', 'AMAZON_COGNITO_USER_POOLS', 'AWS_LAMBDA'] as const)(
    'bind users by %s',
    (mode) => {
      const user = { ...ann, mode };
      const paths = ['/user/ann/a', '/user/ann/*', '/user/bob/a', '/user/*'];
      expect(paths.map((path) => attempt(user, path))).toEqual([
        ...['allowed', 'allowed'],
        ...['Forbidden', 'Forbidden'],
      ]);
    },
  );

  it.each(['API_KEY', 'AWS_IAM'] as const)('do not bind backends by %s', (mode) => {
    expect(attempt({ ...ann, mode }, '/user/bob/a')).toBe('allowed');
    expect(attempt({ ...ann, mode }, '/user/*')).toBe('allowed');
  });

  it('are refused if no channel can match them', () => {
    for (const ownChannels of ['', '/*', '/user/{}', '/user/*/a', '/a/b/c/d/e/f', 7]) {
      expect(namespaceSettingFaults({ ownChannels }), String(ownChannels)).toHaveLength(1);
    }
    expect(namespaceSettingFaults({ ownChannels: '/user/{sub}/*' })).toEqual([]);
  });
});
