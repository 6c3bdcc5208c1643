import { createHash } from 'node:crypto';
import {
  type Authorizer,
  type AuthRequest,
  createApiKeyAuthorizer,
  createCognitoAuthorizer,
  createIamAuthorizer,
  createOidcAuthorizer,
  createWebhookAuthorizer,
  type Identity,
} from '@posthaste/appsync-server';
import type { EmulatorConfig } from './emulator-config.js';

/** Operation that the emulator was asked for. */
export interface LoggedOperation {
  readonly operation: AuthRequest['operation'];
  readonly channel: string | undefined;
  /** Events of a publish. */
  readonly events: number | undefined;
  /** Mode and id of the principal; undefined: its credential was refused. */
  readonly by: string | undefined;
}

/** Most API keys that are remembered where any is accepted. */
const maxKeys = 1_000;

/** Creates the authorizers of a configuration. `onOperation` gets each operation. */
export function createEmulatorAuthorizers(
  { apiKeys, oidc, cognito, lambda, iam }: EmulatorConfig,
  onOperation: (operation: LoggedOperation) => void,
): Authorizer[] {
  const all = [
    apiKeys === undefined ? anyApiKey() : createApiKeyAuthorizer(apiKeys),
    ...(oidc === undefined ? [] : [createOidcAuthorizer(oidc)]),
    ...(cognito === undefined ? [] : [createCognitoAuthorizer(cognito)]),
    ...(lambda === undefined
      ? []
      : [createWebhookAuthorizer({ ask: async (event) => lambda(event) })]),
    ...(iam === undefined ? [] : [createIamAuthorizer({ keys: iam })]),
  ];
  return all.map((authorizer) => withLog(authorizer, onOperation));
}

/** Creates an authorizer that accepts every API key: who develops need not create one. */
function anyApiKey(): Authorizer {
  const identities = new Map<string, Identity>();
  return {
    mode: 'API_KEY',
    accepts: (headers) => headers['x-api-key'] !== undefined,
    authorize: ({ headers }) => {
      const key = headers['x-api-key'] ?? '';
      const id = createHash('sha256').update(key).digest('hex').slice(0, 16);
      const identity = identities.get(id) ?? { mode: 'API_KEY', id, realm: '' };
      if (identities.size >= maxKeys) identities.clear();
      identities.set(id, identity);
      return identity;
    },
  };
}

function withLog(
  authorizer: Authorizer,
  onOperation: (operation: LoggedOperation) => void,
): Authorizer {
  return {
    ...authorizer,
    async authorize(request) {
      const { operation } = request;
      const channel = request.channel?.path;
      const seen = { operation, channel, events: countEvents(request) };
      try {
        const identity = await authorizer.authorize(request);
        onOperation({ ...seen, by: `${identity.mode} ${identity.id}` });
        return identity;
      } catch (error) {
        onOperation({ ...seen, by: undefined });
        throw error;
      }
    },
  };
}

function countEvents({ operation, body }: AuthRequest): number | undefined {
  if (operation !== 'publish') return undefined;
  try {
    const { events } = JSON.parse(body) as { readonly events?: unknown };
    return Array.isArray(events) ? events.length : undefined;
  } catch {
    return undefined;
  }
}
