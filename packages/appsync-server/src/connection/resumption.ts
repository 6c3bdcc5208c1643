import { type ChannelPath, withTimeout } from '@posthaste/contracts';
import type { Broker, DeliveredBatch, MissedEvents } from '../hub/broker.js';
import type { Hub, Subscription } from '../hub/hub.js';
import type { Namespace } from '../namespaces/namespace.js';
import type { ResumeRequest } from '../protocol/extensions.js';
import { subscribeSuccess } from '../protocol/frames.js';
import type { Limits } from '../protocol/limits.js';
import { EventFrames } from '../protocol/text-frame.js';
import { HeldFrames } from './held-frames.js';
import type { Outlet } from './send-queue.js';

/** Events of each channel that a subscriber can get where its namespace says nothing. */
const defaultHistory = 100;
/** Events that a subscriber of a wildcard can get. */
const maxWildcardEvents = 10_000;
/** Longest wait of one subscription for the broker, in ms. */
const maxWaitMs = 5_000;

/** Parts of a server that a resumption needs. */
export interface ResumptionHost {
  readonly hub: Hub;
  readonly broker: Broker;
  readonly limits: Limits;
  /** Reports faults of the broker. */
  toEntry(error: unknown): unknown;
}

/** Subscription that asks for what it has missed. */
export interface ResumingSubscription {
  readonly subscription: Subscription;
  readonly channel: ChannelPath;
  readonly namespace: Namespace;
  readonly request: ResumeRequest;
  /** Called when the client has its answer, unless the subscription has ended before. */
  readonly onAcknowledged: () => void;
}

/** Time that the subscriptions of a connection may wait for the broker together. */
export interface WaitBudget {
  leftMs: number;
}

/**
 * Beginning of a subscription that has missed something. It ends with live events, in any case.
 *
 * asking  → the broker is asked; live events are held back from the moment on whose position the
 *           question ends with
 * sending → `recovered` is true; the missed events are sent, as fast as the socket takes them
 * live    → the held events were sent. Without an answer, or with too many events held, this comes
 *           right after asking, with `recovered` false and nothing of the past
 */
export class Resumption {
  readonly #host: ResumptionHost;
  readonly #outlet: Outlet;
  readonly #resuming: ResumingSubscription;
  readonly #held: HeldFrames;
  /** Position from which on events are held. */
  #before = 0n;
  #isAcknowledged = false;
  #isEnded = false;

  constructor(host: ResumptionHost, outlet: Outlet, resuming: ResumingSubscription) {
    this.#host = host;
    this.#outlet = outlet;
    this.#resuming = resuming;
    this.#held = new HeldFrames(host.limits.maxWaitingBytes);
  }

  /** Resolves when the subscription is live, or has ended. Never rejects. */
  async run(budget: WaitBudget): Promise<void> {
    if (this.#isEnded) return;
    const missed = await this.#ask(budget);
    if (this.#isEnded) return;
    if (missed === undefined || this.#held.isOverfull) this.#beginAnew();
    else await this.#send(missed);
  }

  /** Ends it with its subscription. The subscribe is answered if it is not yet. */
  end(): void {
    this.#isEnded = true;
    if (!this.#isAcknowledged) this.#acknowledge(false, this.#host.broker.position - 1n);
  }

  async #ask(budget: WaitBudget): Promise<MissedEvents> {
    const startedAt = performance.now();
    try {
      return await withTimeout(this.#findMissed(), Math.min(maxWaitMs, budget.leftMs), () => {
        return undefined;
      });
    } catch (error) {
      this.#host.toEntry(error);
      return undefined;
    } finally {
      budget.leftMs = Math.max(0, budget.leftMs - (performance.now() - startedAt));
    }
  }

  async #findMissed(): Promise<MissedEvents> {
    const { broker, hub } = this.#host;
    const { subscription, channel, namespace, request } = this.#resuming;
    const { position: after } = request;
    const { durable = true, history = defaultHistory } = namespace;
    if (after === undefined || request.epoch !== broker.epoch || !durable) return undefined;
    if (after >= broker.position && !(await broker.reach(after))) return undefined;
    // It may have waited too long.
    if (this.#isEnded || this.#isAcknowledged) return undefined;
    // In one turn: what is delivered before is missed, and what is delivered after it is held.
    subscription.sink = this.#held;
    hub.add(subscription, channel);
    const maxEvents = channel.isWildcard ? maxWildcardEvents : history;
    const { realm } = subscription.credential.identity;
    this.#before = broker.position;
    const question = { realm, channel, after, before: this.#before, maxEvents };
    const missed = await broker.findMissed(question);
    return missed !== undefined && isWithin(missed, history) ? missed : undefined;
  }

  /** Goes on from now. */
  #beginAnew(): void {
    const { subscription, channel } = this.#resuming;
    subscription.sink = this.#outlet;
    if (subscription.place === undefined) this.#host.hub.add(subscription, channel);
    this.#acknowledge(false, this.#host.broker.position - 1n);
    this.#resuming.onAcknowledged();
  }

  async #send(missed: readonly DeliveredBatch[]): Promise<void> {
    const { subscription, request, onAcknowledged } = this.#resuming;
    const { position = -1n } = request;
    this.#acknowledge(true, missed.length > 0 ? position : this.#before - 1n);
    onAcknowledged();
    for (const batch of missed) {
      if (!subscription.credential.isUsable(Date.now())) return;
      this.#sendBatch(batch);
      if (this.#outlet.isBehind) await this.#outlet.drained();
      if (this.#isEnded) return;
    }
    // All of the past has to be gone, or the held frames could be more than may wait.
    if (this.#held.frames !== '') await this.#outlet.drained();
    if (this.#isEnded) return;
    if (this.#held.isOverfull) {
      this.#outlet.onSlow();
      return;
    }
    subscription.sink = this.#outlet;
    if (this.#held.frames !== '') this.#outlet.sendFrame(this.#held.frames);
  }

  #sendBatch({ events, channel, position = 0n }: DeliveredBatch): void {
    const { id, variant } = this.#resuming.subscription;
    for (const [index, { event }] of events.entries()) {
      const frames = new EventFrames(event, channel.path, position + BigInt(index));
      this.#outlet.frames = frames.of(variant).appendTo(this.#outlet.frames, id);
      this.#outlet.appended();
    }
    this.#host.hub.messages += events.length;
  }

  #acknowledge(recovered: boolean, position: bigint): void {
    this.#isAcknowledged = true;
    const { epoch } = this.#host.broker;
    const { id } = this.#resuming.subscription;
    this.#outlet.sendText(subscribeSuccess(id, { epoch, position, recovered }));
  }
}

/** True if no channel has more than `history` events. */
function isWithin(missed: readonly DeliveredBatch[], history: number): boolean {
  const counts = new Map<string, number>();
  for (const { channel, events } of missed) {
    const count = (counts.get(channel.path) ?? 0) + events.length;
    if (count > history) return false;
    counts.set(channel.path, count);
  }
  return true;
}
