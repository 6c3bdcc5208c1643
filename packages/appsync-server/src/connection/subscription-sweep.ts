import type { Hub } from '../hub/hub.js';
import { type EndingRules, endingOf } from './subscribing.js';

/** Time in which further changes of namespaces are part of the same sweep, in ms. */
const coalesceMs = 100;

/**
 * End of subscriptions whose namespace was removed, or no longer lets their credential in. A look
 * costs a lookup per path, so that changes by one tenant are no burden for all others.
 */
export class SubscriptionSweep {
  readonly #hub: Hub;
  readonly #rules: EndingRules;
  #timer: NodeJS.Timeout | undefined;

  constructor(hub: Hub, rules: EndingRules) {
    this.#hub = hub;
    this.#rules = rules;
  }

  /** Looks soon. */
  schedule(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#sweep();
    }, coalesceMs).unref();
  }

  #sweep(): void {
    const { namespaces, defaultSubscribeAuthModes } = this.#rules;
    for (const { realm, channel, subscriptions } of this.#hub.listPaths()) {
      const namespace = namespaces.find(realm, channel.segments[0]);
      const { subscribeAuthModes = defaultSubscribeAuthModes, ownChannels } = namespace ?? {};
      const isForAll = subscribeAuthModes === undefined && ownChannels === undefined;
      if (namespace !== undefined && isForAll) continue;
      for (const subscription of [...subscriptions]) {
        const reason = endingOf(this.#rules, subscription.credential, channel);
        if (reason) subscription.owner.end(subscription, reason);
      }
    }
  }
}
