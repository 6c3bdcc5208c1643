import { type AdmittedOperation, type Identity, RealtimeError } from '@posthaste/appsync-server';
import type { ApplicationLimiter } from '../access/application-limits.js';
import type { RateLimiter } from '../http/limits/rate-limit.js';
import { type GuessLimit, isLocal } from './platform-authorizer.js';
import { PlatformIdentity } from './platform-identity.js';

/** Counts of requests, which operations share. */
export interface OperationLimits {
  readonly limiter: Pick<RateLimiter, 'takeByKey' | 'hasLeftForAddress' | 'takeByAddress'>;
  readonly applicationLimiter: Pick<ApplicationLimiter, 'countOperation'>;
}

/**
 * Limits of operations. Each connect, subscribe and publish counts as a request of its key, or of the
 * principal of an issuer, and of its application; the events of a publish count as published events.
 * Addresses are counted for credentials that nobody knows only: many clients may share one.
 */
export class OperationCounts implements GuessLimit {
  #limits: OperationLimits | undefined;

  /** Sets what counts. Until then nothing is over a limit. */
  limitBy(limits: OperationLimits): void {
    this.#limits = limits;
  }

  /** @throws RealtimeError `LimitExceededError` */
  admit({ identity, events }: AdmittedOperation): void {
    if (this.#limits === undefined) return;
    const { limiter, applicationLimiter } = this.#limits;
    const counted = toCounted(identity);
    if (counted !== undefined && !limiter.takeByKey(counted)) {
      throw limitExceeded('The credential has reached its limit of operations in a second.');
    }
    const refused = applicationLimiter.countOperation(identity.realm, events);
    if (refused) throw limitExceeded(refused.message);
  }

  hasLeft(address: string): boolean {
    return this.#limits?.limiter.hasLeftForAddress(address) ?? true;
  }

  count(address: string): void {
    this.#limits?.limiter.takeByAddress(address);
  }
}

/** Returns whom an operation is counted for; undefined on a server that needs no credential. */
function toCounted(identity: Identity): Parameters<RateLimiter['takeByKey']>[0] | undefined {
  if (identity instanceof PlatformIdentity) return identity.caller;
  const { mode, realm, id } = identity;
  return isLocal(identity) ? undefined : { id: `${mode} ${realm} ${id}` };
}

function limitExceeded(message: string): RealtimeError {
  return new RealtimeError('LimitExceededError', 429, message);
}
