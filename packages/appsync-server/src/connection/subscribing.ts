import type { AuthMode } from '../auth/authorizer.js';
import type { NamespaceDirectory } from '../namespaces/namespace.js';
import type { HandlerRequest, HandlerRunner } from '../namespaces/run-handlers.js';
import { RealtimeError } from '../protocol/realtime-error.js';
import { allowsMode, type CredentialInUse, forbidden } from './credentials.js';

/** Parts of a server that a subscribe needs. */
export interface SubscribeRules {
  readonly namespaces: NamespaceDirectory;
  readonly handlers: HandlerRunner;
  readonly defaultSubscribeAuthModes: readonly AuthMode[] | undefined;
}

/** Checks that a credential may subscribe to a channel. @throws RealtimeError */
export async function checkSubscribe(
  rules: SubscribeRules,
  credential: CredentialInUse,
  { channel, headers }: Pick<HandlerRequest, 'channel' | 'headers'>,
): Promise<void> {
  const { identity } = credential;
  const namespace = rules.namespaces.find(identity.realm, channel.segments[0]);
  if (namespace === undefined) throw new RealtimeError('UnauthorizedException', 401);
  const modes = namespace.subscribeAuthModes ?? rules.defaultSubscribeAuthModes;
  if (!allowsMode(modes, identity.mode)) throw forbidden();
  if (identity.mayUse?.('subscribe', channel) === false) throw forbidden();
  await rules.handlers.subscribe(namespace, { identity, headers, channel });
}
