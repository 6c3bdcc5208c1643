import { parseRoleRule } from '@posthaste/access';
import { PlatformError } from '@posthaste/contracts';
import type {
  platformSettings,
  SettingFault,
  SettingValues,
  signInSettings,
} from '@posthaste/settings';
import { isLoopback } from './access/local-caller.js';

type SignInValues = Partial<
  SettingValues<typeof signInSettings> & Pick<SettingValues<typeof platformSettings>, 'publicUrl'>
>;

/** Checks the rules between settings of sign-ins, for `check` of `readSettings`. */
export function signInFaults(values: SignInValues): SettingFault[] {
  return [
    ...urlFaults(values),
    ...providerFaults(values),
    ...(values.oidcRoles ?? []).flatMap(roleFaults),
  ];
}

function urlFaults({ publicUrl, oidcIssuer }: SignInValues): SettingFault[] {
  const faults: SettingFault[] = [];
  if (publicUrl !== undefined && isUnprotected(publicUrl)) {
    faults.push(
      fault(
        'POSTHASTE_PUBLIC_URL',
        'is http, and its host is not on this machine. Cookies of sessions would be readable on the way: use https.',
      ),
    );
  }
  if (oidcIssuer !== undefined && isUnprotected(oidcIssuer)) {
    faults.push(
      fault(
        'POSTHASTE_OIDC_ISSUER',
        'is http, and its host is not on this machine. Anybody on the way could sign in: use https.',
      ),
    );
  }
  return faults;
}

function providerFaults(values: SignInValues): SettingFault[] {
  const { oidcIssuer, oidcClientId, publicUrl, oidcScopes = [], oidcRoles = [] } = values;
  if (oidcIssuer === undefined) {
    if (oidcClientId === undefined && oidcRoles.length === 0) return [];
    const name = oidcClientId === undefined ? 'POSTHASTE_OIDC_ROLES' : 'POSTHASTE_OIDC_CLIENT_ID';
    return [fault(name, 'has no effect without POSTHASTE_OIDC_ISSUER.')];
  }
  const faults: SettingFault[] = [];
  const require = (name: string, isSet: boolean): void => {
    if (!isSet) faults.push(fault(name, 'is required with POSTHASTE_OIDC_ISSUER.'));
  };
  require('POSTHASTE_OIDC_CLIENT_ID', oidcClientId !== undefined);
  require('POSTHASTE_PUBLIC_URL', publicUrl !== undefined);
  require('POSTHASTE_OIDC_ROLES', oidcRoles.length > 0);
  if (!oidcScopes.includes('openid')) {
    faults.push(fault('POSTHASTE_OIDC_SCOPES', 'lacks openid.'));
  }
  return faults;
}

function roleFaults(rule: string): SettingFault[] {
  try {
    parseRoleRule(rule);
    return [];
  } catch (error) {
    if (error instanceof PlatformError) {
      return [fault('POSTHASTE_OIDC_ROLES', `is wrong: ${error.message}.`)];
    }
    throw error;
  }
}

function isUnprotected(url: string): boolean {
  const { protocol, hostname } = new URL(url);
  return protocol === 'http:' && hostname !== '[::1]' && !isLoopback(hostname);
}

function fault(name: string, text: string): SettingFault {
  return { name, message: `${name} ${text}` };
}
