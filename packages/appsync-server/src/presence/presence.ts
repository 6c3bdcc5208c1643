import { backoffMs } from '@posthaste/contracts';
import type { Subscription } from '../hub/hub.js';
import { RealtimeError } from '../protocol/realtime-error.js';
import { PresenceChannel, presenceRetry } from './presence-channel.js';
import type { PresenceRequest } from './presence-request.js';
import {
  channelKey,
  type PresenceChannelName,
  type PresenceStore,
  type PresentMember,
} from './presence-store.js';

/** Options of {@link Presence}. */
export interface PresenceOptions {
  readonly store: PresenceStore;
  /** Time after which a member without a connection has left, in ms. */
  readonly graceMs: number;
  /** Most members of a channel. */
  readonly maxMembers: number;
  /** Gets faults of the store. What failed is tried again. */
  onError(error: unknown): void;
}

/** Member that is connected to this node, or was a moment ago. */
interface LocalMember {
  /** Subscriptions that are this member. */
  holders: number;
  member: PresentMember;
  /** Number of the last change. A change that is behind is given up. */
  change: number;
  leaving: NodeJS.Timeout | undefined;
  /** Changes that the store is asked for, one after another. */
  stored: Promise<void>;
}

/** Channel with its members on this node. */
interface LocalChannel {
  readonly watched: PresenceChannel;
  readonly members: Map<string, LocalMember>;
}

/** Subscription that takes part. */
interface Participant {
  readonly local: LocalChannel;
  readonly member: string | undefined;
}

/**
 * Members and watchers of channels on this node. A member joins with its first connection, and leaves
 * some seconds after its last one has ended, so that nobody notices a reconnect.
 */
export class Presence {
  readonly #options: PresenceOptions;
  readonly #channels = new Map<string, LocalChannel>();
  readonly #participants = new Map<Subscription, Participant>();
  #isClosed = false;

  constructor(options: PresenceOptions) {
    this.#options = options;
    options.store.start((channel) => this.#channels.get(channelKey(channel))?.watched.refresh());
  }

  /**
   * Checks that a channel has place for a member. While the store is away every channel has.
   * @throws RealtimeError `LimitExceededError`
   */
  async checkPlace(name: PresenceChannelName, { member }: PresentMember): Promise<void> {
    const { maxMembers } = this.#options;
    const local = this.#channels.get(channelKey(name));
    const known = local?.watched.known?.keys() ?? (await this.#listNames(name));
    const names = new Set([...known, ...(local?.members.keys() ?? [])]);
    if (names.size < maxMembers || names.has(member)) return;
    const message = `A channel has at most ${maxMembers} members.`;
    throw new RealtimeError('LimitExceededError', 429, message);
  }

  /** Begins to show a subscription who is on the channel, and it to others if it is a member. */
  enter(subscription: Subscription, name: PresenceChannelName, request: PresenceRequest): void {
    const local = this.#localOf(name);
    const { watched } = local;
    this.#participants.set(subscription, { local, member: request.member?.member });
    watched.add(subscription);
    if (request.member === undefined) watched.inform(subscription);
    else void this.#join(local, request.member).then(() => watched.inform(subscription));
  }

  /** Ends it. Does nothing for a subscription that has not entered. */
  leave(subscription: Subscription): void {
    const participant = this.#participants.get(subscription);
    if (participant === undefined) return;
    this.#participants.delete(subscription);
    const { local, member } = participant;
    local.watched.remove(subscription);
    const found = member === undefined ? undefined : local.members.get(member);
    if (found) this.#release(local, found);
    this.#forget(local);
  }

  /** Stops. Members stay in the store. */
  close(): void {
    this.#isClosed = true;
    for (const { members } of this.#channels.values()) {
      for (const { leaving } of members.values()) clearTimeout(leaving);
    }
  }

  async #listNames(name: PresenceChannelName): Promise<readonly string[]> {
    try {
      const { store, maxMembers } = this.#options;
      const members = await store.list(name, maxMembers * 2);
      return members.map(({ member }) => member);
    } catch (error) {
      this.#options.onError(error);
      return [];
    }
  }

  #localOf(name: PresenceChannelName): LocalChannel {
    const key = channelKey(name);
    const known = this.#channels.get(key);
    if (known) return known;
    const { store, maxMembers, onError } = this.#options;
    // Nodes that let members in at the same moment may exceed the limit by some.
    const host = { store, maxListed: maxMembers * 2, onError };
    const local = { watched: new PresenceChannel(name, host), members: new Map() };
    this.#channels.set(key, local);
    return local;
  }

  /** Drops a channel that nobody is on any more. */
  #forget({ watched, members }: LocalChannel): void {
    if (watched.size === 0 && members.size === 0) this.#channels.delete(channelKey(watched.name));
  }

  /** Resolves when the store has the member. */
  #join({ watched, members }: LocalChannel, member: PresentMember): Promise<void> {
    const known = members.get(member.member);
    const local = known ?? {
      ...{ holders: 0, change: 0, leaving: undefined, stored: Promise.resolve() },
      member,
    };
    members.set(member.member, local);
    local.holders += 1;
    const isThere = known !== undefined && (local.leaving !== undefined || local.holders > 1);
    clearTimeout(local.leaving);
    local.leaving = undefined;
    const isSame = JSON.stringify(local.member.data) === JSON.stringify(member.data);
    if (isThere && isSame) return local.stored;
    local.member = member;
    const { store } = this.#options;
    return this.#change(local, () => store.join(watched.name, member));
  }

  #release(channel: LocalChannel, local: LocalMember): void {
    local.holders -= 1;
    if (local.holders > 0 || this.#isClosed) return;
    const { store, graceMs } = this.#options;
    local.leaving = setTimeout(() => {
      local.leaving = undefined;
      const { member } = local.member;
      void this.#change(local, () => store.leave(channel.watched.name, member)).then(() => {
        if (local.holders > 0 || local.leaving) return;
        if (channel.members.get(member) === local) channel.members.delete(member);
        this.#forget(channel);
      });
    }, graceMs).unref();
  }

  /** Asks the store behind what it was asked before, again until it answers or another change comes. */
  #change(local: LocalMember, change: () => Promise<void>): Promise<void> {
    local.change += 1;
    const number = local.change;
    local.stored = local.stored.then(async () => {
      for (let failures = 1; number === local.change && !this.#isClosed; failures += 1) {
        try {
          await change();
          return;
        } catch (error) {
          this.#options.onError(error);
          const ms = backoffMs(failures, presenceRetry, Math.random());
          await new Promise((resolve) => setTimeout(resolve, ms).unref());
        }
      }
    });
    return local.stored;
  }
}
