import { AppSyncError } from './appsync-error.js';
import { type Authorize, type AuthorizedOperation, withRenewal } from './authorize.js';
import { type ClientOptions, newOperationId } from './client-options.js';
import { systemClock } from './clock.js';
import type { Config } from './config.js';
import { withDeadline } from './deadline.js';
import type { Link } from './link.js';
import { Pace } from './pace.js';
import { normaliseChannel, type ReceiveMessage } from './protocol.js';
import {
  type PublishOptions,
  type PublishResult,
  publishOverHttp,
  publishParts,
} from './publish.js';
import type { Session } from './session.js';

/** Parts of a client that its publishes need. */
export interface PublisherOptions {
  readonly link: Link;
  readonly authorize: Authorize;
  /** Address for HTTP. */
  readonly config: Config | undefined;
  readonly options: ClientOptions;
}

/** Part of a list on its way. */
interface Part {
  readonly channel: string;
  readonly events: readonly string[];
  /** JSON of both, which signatures cover. */
  readonly body: string;
  /** Longest time of the operation, in ms. */
  readonly timeoutMs: number;
}

/** Publishes over the socket or HTTP. */
export class Publisher {
  readonly #link: Link;
  readonly #authorize: Authorize;
  readonly #config: Config | undefined;
  readonly #options: ClientOptions;
  readonly #pace: Pace;
  /** Publishes that wait for the connection. */
  #offline = 0;

  constructor({ link, authorize, config, options }: PublisherOptions) {
    this.#link = link;
    this.#authorize = authorize;
    this.#config = config;
    this.#options = options;
    this.#pace = new Pace(this.#clock, options.publishesPerSecond ?? 25);
  }

  /** Publishes a list. @throws AppSyncError those of `WebSocketClient.publish` */
  publish(
    channel: string,
    events: readonly string[],
    { signal, timeoutMs, over }: PublishOptions,
  ): Promise<PublishResult> {
    const path = normaliseChannel(channel);
    const usualMs = this.#options.timeoutMs ?? 30_000;
    return publishParts(events, (part) => {
      const body = JSON.stringify({ channel: path, events: part });
      const whole = { channel: path, events: part, body, timeoutMs: timeoutMs ?? usualMs };
      return withDeadline(
        (limit) =>
          this.#usesHttp(over) ? this.#overHttp(whole, limit) : this.#overSocket(whole, limit),
        { clock: this.#clock, timeoutMs, signal, what: 'the publish' },
      );
    });
  }

  get #clock() {
    return this.#options.clock ?? systemClock;
  }

  #usesHttp(over: PublishOptions['over']): boolean {
    const way = over ?? this.#options.publishOver;
    const isOpen = this.#link.state === 'open';
    return way === 'http' || (way === 'any' && !isOpen && this.#config !== undefined);
  }

  async #overSocket(part: Part, signal: AbortSignal): Promise<ReceiveMessage> {
    const { channel, events } = part;
    await this.#openSession(signal);
    await this.#pace.wait(signal);
    const operation = this.#toOperation('publish', part, signal);
    return withRenewal(this.#authorize, operation, async (authorization, limit) => {
      // The connection may have been lost meanwhile.
      const session = await this.#openSession(limit);
      const message = { type: 'publish', id: newOperationId(), channel, events } as const;
      return session.request({ ...message, authorization }, { signal: limit });
    });
  }

  async #overHttp(part: Part, signal: AbortSignal): Promise<ReceiveMessage> {
    const url = this.#config?.httpUrl();
    if (!url) {
      throw new AppSyncError('connection_closed', 'HTTP needs a configuration with its address');
    }
    if (this.#link.state === 'closed') throw this.#closedError();
    const { fetch = globalThis.fetch } = this.#options;
    const operation = this.#toOperation('http', part, signal);
    return withRenewal(this.#authorize, operation, (headers, limit) =>
      publishOverHttp(fetch, { url, headers, body: part.body, signal: limit }),
    );
  }

  #toOperation(
    operation: 'publish' | 'http',
    { body, timeoutMs }: Part,
    signal: AbortSignal,
  ): AuthorizedOperation {
    const deadline = { clock: this.#clock, timeoutMs, signal, what: 'the publish' };
    return { operation, body, deadline };
  }

  /** Returns the open session, or waits for one if there is capacity in the offline queue. */
  async #openSession(signal: AbortSignal): Promise<Session> {
    const { state, session } = this.#link;
    if (state === 'open') return session;
    if (state === 'connecting') return this.#link.whenOpen();
    const { maxOfflinePublishes = 0 } = this.#options;
    if (state === 'closed' || this.#offline >= maxOfflinePublishes) throw this.#closedError();
    this.#offline += 1;
    let isWaiting = true;
    const leave = (): void => {
      if (isWaiting) this.#offline -= 1;
      isWaiting = false;
    };
    // One that is given up makes way for another at once.
    signal.addEventListener('abort', leave);
    return this.#link.whenOpen().finally(leave);
  }

  #closedError(): AppSyncError {
    return this.#link.err ?? new AppSyncError('connection_closed', 'the connection is closed');
  }
}
