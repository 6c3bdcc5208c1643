import { platformSettings, readSettings, signInSettings } from '@posthaste/settings';
import { describe, expect, it } from 'vitest';
import { signInFaults } from './sign-in-faults.js';

const complete = {
  POSTHASTE_PUBLIC_URL: 'https://events.example.com',
  POSTHASTE_OIDC_ISSUER: 'https://id.example.com/realms/main',
  POSTHASTE_OIDC_CLIENT_ID: 'posthaste',
  POSTHASTE_OIDC_ROLES: 'admins=admin,shop=operator:shop',
};

function read(environment: Record<string, string>) {
  const settings = { ...signInSettings, publicUrl: platformSettings.publicUrl };
  return readSettings(environment, settings, { check: signInFaults });
}

describe('settings of sign-ins', () => {
  it('may be missing, complete, or on loopback by http', () => {
    expect(read({})).toMatchObject({ sessionLengthMs: 43_200_000, sessionIdleMs: 7_200_000 });
    expect(read(complete)).toMatchObject({ oidcRoles: ['admins=admin', 'shop=operator:shop'] });
    const local = {
      POSTHASTE_PUBLIC_URL: 'http://localhost:8080',
      POSTHASTE_OIDC_ISSUER: 'http://[::1]:90',
    };
    expect(read({ ...complete, ...local })).toMatchObject({ publicUrl: 'http://localhost:8080' });
  });

  it.each([
    ['POSTHASTE_PUBLIC_URL', 'http://events.example.com'],
    ['POSTHASTE_PUBLIC_URL', 'https://events.example.com/path'],
    ['POSTHASTE_PUBLIC_URL', 'https://user:pass@events.example.com'],
    ['POSTHASTE_PUBLIC_URL', ''],
    ['POSTHASTE_OIDC_ISSUER', 'http://id.example.com'],
    ['POSTHASTE_OIDC_CLIENT_ID', ''],
    ['POSTHASTE_OIDC_ROLES', ''],
    ['POSTHASTE_OIDC_ROLES', 'admins=root'],
    ['POSTHASTE_OIDC_ROLES', 'admins'],
    ['POSTHASTE_OIDC_SCOPES', 'profile'],
  ])('cannot be complete with %s=%s', (name, value) => {
    expect(() => read({ ...complete, [name]: value })).toThrow(
      expect.objectContaining({
        code: 'CONFIG_INVALID',
        details: expect.arrayContaining([expect.objectContaining({ name })]),
      }),
    );
  });

  it('are refused where they would have no effect', () => {
    const { POSTHASTE_OIDC_ISSUER: _, ...withoutIssuer } = complete;
    expect(() => read(withoutIssuer)).toThrow(/POSTHASTE_OIDC_CLIENT_ID has no effect/);
  });
});
