import type { ChannelPath } from '@posthaste/contracts';
import type { AdmittedOperation, AuthMode } from '../auth/authorizer.js';
import type { Namespace, NamespaceDirectory } from '../namespaces/namespace.js';
import type { HandlerRequest, HandlerRunner } from '../namespaces/run-handlers.js';
import { RealtimeError } from '../protocol/realtime-error.js';
import { allowsMode, type CredentialInUse, forbidden } from './credentials.js';

/** Parts of a server that a subscribe needs. */
export interface SubscribeRules {
  readonly namespaces: NamespaceDirectory;
  readonly handlers: HandlerRunner;
  readonly defaultSubscribeAuthModes: readonly AuthMode[] | undefined;
  /** True answers denials with the types of AWS. */
  readonly strictAws: boolean;
  /** Throws to refuse an operation that is allowed, but over a limit. Default: refuses nothing. */
  readonly admit: ((operation: AdmittedOperation) => void) | undefined;
}

/** Rules by which subscriptions end. */
export type EndingRules = Pick<SubscribeRules, 'namespaces' | 'defaultSubscribeAuthModes'> & {
  readonly handlers: Pick<HandlerRunner, 'checkOwn'>;
};

/**
 * Returns the reason why a subscription cannot go on, because its namespace was removed, or no longer
 * lets its credential in; undefined if it can.
 */
export function endingOf(
  rules: EndingRules,
  { identity }: CredentialInUse,
  channel: ChannelPath,
): RealtimeError | undefined {
  const [name] = channel.segments;
  const namespace = rules.namespaces.find(identity.realm, name);
  if (namespace === undefined) {
    return new RealtimeError('ResourceNotFound', 404, `The namespace '${name}' was removed.`);
  }
  const modes = namespace.subscribeAuthModes ?? rules.defaultSubscribeAuthModes;
  if (!allowsMode(modes, identity.mode)) return forbidden();
  try {
    rules.handlers.checkOwn(namespace, { identity, channel, headers: {} }, 'SUBSCRIBE');
    return undefined;
  } catch (error) {
    return error as RealtimeError;
  }
}

/** Checks that a credential may subscribe to a channel. Returns its namespace. @throws RealtimeError */
export async function checkSubscribe(
  rules: SubscribeRules,
  credential: CredentialInUse,
  { channel, headers }: Pick<HandlerRequest, 'channel' | 'headers'>,
): Promise<Namespace> {
  const { identity } = credential;
  const namespace = rules.namespaces.find(identity.realm, channel.segments[0]);
  if (namespace === undefined) throw noNamespace(rules);
  const modes = namespace.subscribeAuthModes ?? rules.defaultSubscribeAuthModes;
  if (!allowsMode(modes, identity.mode)) throw forbidden();
  if (identity.mayUse?.('subscribe', channel) === false) throw forbidden();
  rules.admit?.({ identity, operation: 'subscribe', events: 0 });
  await rules.handlers.subscribe(namespace, { identity, headers, channel });
  return namespace;
}

/**
 * Returns the error as a subscriber sees it. Amplify up to 6.20.0 takes the types of AWS for expired
 * tokens: it closes the socket that all its subscriptions share, and comes back for ever. So a valid
 * credential that may not subscribe gets `Forbidden`, and only a bad one the type of AWS.
 */
export function toSubscribeError(
  { strictAws }: Pick<SubscribeRules, 'strictAws'>,
  error: unknown,
): unknown {
  if (strictAws || !(error instanceof RealtimeError)) return error;
  const isDenial = error.errorType === 'UnauthorizedException' && error.errorCode === 403;
  return isDenial ? new RealtimeError('Forbidden', 403, error.message) : error;
}

function noNamespace({ strictAws }: SubscribeRules): RealtimeError {
  if (strictAws) return new RealtimeError('UnauthorizedException', 401);
  return new RealtimeError('ResourceNotFound', 404, 'There is no such namespace.');
}
