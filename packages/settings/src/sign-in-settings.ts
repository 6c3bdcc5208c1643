/** Settings of the people who sign in: the identity provider, their roles and their sessions. */
export const signInSettings = {
  oidcIssuer: {
    name: 'POSTHASTE_OIDC_ISSUER',
    type: 'url',
    schemes: ['https', 'http'],
    meaning:
      'Identity provider (OpenID Connect) at which people sign in: its issuer URL, exactly as the provider states it. Register `<POSTHASTE_PUBLIC_URL>/v1/sign-in/callback` there as redirect URI. `http` is for loopback only. Not set: people cannot sign in.',
  },
  oidcClientId: {
    name: 'POSTHASTE_OIDC_CLIENT_ID',
    type: 'string',
    meaning: 'Id of the client that the identity provider knows the platform by.',
  },
  oidcClientSecret: {
    name: 'POSTHASTE_OIDC_CLIENT_SECRET',
    type: 'string',
    secret: true,
    meaning: 'Secret of that client. Not set: it is a public client, without one.',
  },
  oidcScopes: {
    name: 'POSTHASTE_OIDC_SCOPES',
    type: 'list',
    items: 'string',
    default: ['openid', 'profile', 'email'],
    meaning:
      'Scopes that the identity provider is asked for, `openid` among them. Some providers want one more for groups, such as `groups`.',
  },
  oidcRolesClaim: {
    name: 'POSTHASTE_OIDC_ROLES_CLAIM',
    type: 'string',
    default: 'groups',
    meaning:
      'Claim that holds the roles or groups of a person: a list of texts, or one text. Names of nested objects are joined by dots: `realm_access.roles`. Looked up in the ID token, then at the UserInfo endpoint.',
  },
  oidcRoles: {
    name: 'POSTHASTE_OIDC_ROLES',
    type: 'list',
    items: 'string',
    default: [],
    meaning:
      'Roles by value of that claim: `platform-admins=admin` for all applications, `shop-team=operator:shop` for one. Roles are `admin`, `operator` and `viewer`. A comma inside is written as `%2C`, a percent sign as `%25`. Nobody without a role can sign in.',
  },
  oidcAllowedNetworks: {
    name: 'POSTHASTE_OIDC_ALLOWED_NETWORKS',
    type: 'list',
    items: 'network',
    default: [],
    meaning:
      'Private networks in which the identity provider may be. Without, only public addresses are called.',
  },
  sessionLengthMs: {
    name: 'POSTHASTE_SESSION_LENGTH',
    type: 'duration',
    min: 60_000,
    max: 2_592_000_000,
    default: 43_200_000,
    meaning:
      'Longest time of a session. Roles are read at sign-in, so changes at the identity provider hold after this time at the latest.',
  },
  sessionIdleMs: {
    name: 'POSTHASTE_SESSION_IDLE',
    type: 'duration',
    min: 60_000,
    max: 2_592_000_000,
    default: 7_200_000,
    meaning: 'Time without a request after which a session ends.',
  },
} as const;
