import { backoffMs } from '@posthaste/contracts';
import type { Subscription } from '../hub/hub.js';
import type { SharedFrame } from '../protocol/text-frame.js';
import { joinFrame, leaveFrame, membersFrame } from './presence-frames.js';
import type { PresenceChannelName, PresenceStore, PresentMember } from './presence-store.js';

/** Waits between attempts while the store does not answer. */
export const presenceRetry: { initialMs: number; maxMs: number } = { initialMs: 200, maxMs: 5_000 };

/** Parts of a server that a channel with presence uses. */
export interface PresenceChannelHost {
  readonly store: PresenceStore;
  /** Most members that are listed. */
  readonly maxListed: number;
  /** Gets faults of the store. What failed is tried again. */
  onError(error: unknown): void;
}

/** Subscriber that sees who is on the channel. */
interface Watcher {
  /** True as soon as it is a member itself, if it wants to be one. */
  isReady: boolean;
  /** True after it got all members. Later it gets the changes. */
  isInformed: boolean;
}

/**
 * Members of a channel, as its watchers on this node see them. The store is the truth: whenever it may have
 * changed, the members are listed, and watchers get the difference to what they know. So they are
 * right in the end, in whichever order changes of several nodes come, and whatever gets lost.
 */
export class PresenceChannel {
  readonly name: PresenceChannelName;
  readonly #host: PresenceChannelHost;
  readonly #watchers = new Map<Subscription, Watcher>();
  /** Data of members as JSON, as the informed watchers know them. */
  #known: Map<string, string> | undefined;
  #isListing = false;
  #isStale = false;

  constructor(name: PresenceChannelName, host: PresenceChannelHost) {
    this.name = name;
    this.#host = host;
  }

  /** Number of watchers. */
  get size(): number {
    return this.#watchers.size;
  }

  /** Members that are known to be there; undefined if nobody watches. */
  get known(): ReadonlyMap<string, string> | undefined {
    return this.#known;
  }

  /** Adds a watcher, who gets nothing before `inform`. */
  add(subscription: Subscription): void {
    this.#watchers.set(subscription, { isReady: false, isInformed: false });
  }

  remove(subscription: Subscription): void {
    this.#watchers.delete(subscription);
    if (this.#watchers.size === 0) this.#known = undefined;
  }

  /** Sends all members to a watcher, and the changes from then on. */
  inform(subscription: Subscription): void {
    const watcher = this.#watchers.get(subscription);
    if (watcher === undefined) return;
    watcher.isReady = true;
    this.refresh();
  }

  /** Lists the members, now or once more if they are being listed, and sends the changes. */
  refresh(): void {
    this.#isStale = true;
    if (this.#isListing || this.#watchers.size === 0) return;
    this.#isListing = true;
    void this.#listUntilFresh();
  }

  async #listUntilFresh(): Promise<void> {
    let failures = 0;
    while (this.#isStale && this.#watchers.size > 0) {
      this.#isStale = false;
      const ready = [...this.#watchers.values()].filter(({ isReady }) => isReady);
      try {
        const { store, maxListed } = this.#host;
        this.#apply(await store.list(this.name, maxListed), new Set(ready));
        failures = 0;
      } catch (error) {
        this.#isStale = true;
        failures += 1;
        this.#host.onError(error);
        await delay(backoffMs(failures, presenceRetry, Math.random()));
      }
    }
    this.#isListing = false;
  }

  #apply(members: readonly PresentMember[], ready: ReadonlySet<Watcher>): void {
    const before = this.#known;
    const after = new Map(members.map(({ member, data }) => [member, JSON.stringify(data)]));
    // They have all left meanwhile.
    if (this.#watchers.size === 0) return;
    this.#known = after;
    for (const frame of before ? changesBetween(before, after, members) : []) {
      this.#send(frame, ({ isInformed }) => isInformed);
    }
    this.#send(membersFrame(members), (watcher) => ready.has(watcher) && !watcher.isInformed);
    for (const watcher of ready) watcher.isInformed = true;
  }

  #send(frame: SharedFrame, isReceiver: (watcher: Watcher) => boolean): void {
    const now = Date.now();
    for (const [{ id, owner, credential }, watcher] of this.#watchers) {
      if (!isReceiver(watcher) || !credential.isUsable(now)) continue;
      const { outlet } = owner;
      outlet.frames = frame.appendTo(outlet.frames, id);
      outlet.appended();
    }
  }
}

/** Members that have gone, then those that have come or have new data. */
function* changesBetween(
  before: ReadonlyMap<string, string>,
  after: ReadonlyMap<string, string>,
  members: readonly PresentMember[],
): Generator<SharedFrame> {
  for (const member of before.keys()) if (!after.has(member)) yield leaveFrame(member);
  for (const member of members) {
    if (before.get(member.member) !== after.get(member.member)) yield joinFrame(member);
  }
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms).unref());
}
