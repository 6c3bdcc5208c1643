import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { ChannelPath } from '@posthaste/contracts';
import { PlatformError, withTimeout } from '@posthaste/contracts';
import { Connections } from './connection/connections.js';
import { Credentials } from './connection/credentials.js';
import { RealmCounts } from './connection/realm-counts.js';
import { SendQueue } from './connection/send-queue.js';
import { SubscriptionSweep } from './connection/subscription-sweep.js';
import { pathOf, refuseUpgrade } from './connection/upgrade.js';
import { handlePublish, type PublishHost } from './http/publish.js';
import type { Broker, ChannelBatch } from './hub/broker.js';
import { Hub } from './hub/hub.js';
import { MemoryBroker } from './hub/memory-broker.js';
import { Publisher } from './hub/publisher.js';
import { RealtimeMetrics } from './metrics.js';
import type { Namespace, NamespaceDirectory } from './namespaces/namespace.js';
import {
  type NamespaceSettings,
  namespaceNameFault,
  namespaceSettingFaults,
} from './namespaces/namespace-settings.js';
import { HandlerRunner } from './namespaces/run-handlers.js';
import { MemoryPresence } from './presence/memory-presence.js';
import { Presence } from './presence/presence.js';
import { resolveLimits } from './protocol/limits.js';
import { type ErrorEntry, RealtimeError } from './protocol/realtime-error.js';
import type {
  ChannelCount,
  DeliveryChoice,
  RealmChannelCount,
  RealtimeCounts,
  RealtimeServerOptions,
} from './server-options.js';

/** Longest wait of a client for the start of the broker, in ms. */
const maxStartMs = 20_000;

/** Server of the protocol, for an HTTP server that its user has. */
export interface RealtimeServer {
  /** Resolves when the broker has begun. @throws of the broker's `start` */
  readonly ready: Promise<void>;
  /**
   * Answers requests and upgrades of its two paths on the server. Others go to the listeners that
   * the server has now; without one they are answered with 404.
   */
  attach(server: Server): void;
  /** Makes a WebSocket of an upgrade request, whatever its path. */
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
  /** Answers `POST` and `OPTIONS` of `/event`, whatever the path of the request. Never rejects. */
  handlePublish(request: IncomingMessage, response: ServerResponse): Promise<void>;
  /** Publishes without a credential and without handlers, as the namespace says: durable or not. */
  publish(batch: ChannelBatch): Promise<void>;
  /** Delivers to the subscribers of this node only, all of them or those that are chosen. */
  deliver(batch: ChannelBatch, choice?: DeliveryChoice): void;
  /** True if a subscription of this node gets what is published to the channel. */
  hasSubscribers(realm: string, channel: ChannelPath): boolean;
  /** Lists the paths of a realm that are subscribed to on this node. */
  channels(realm: string): ChannelCount[];
  /** Lists the paths of all realms that are subscribed to on this node. */
  allChannels(): RealmChannelCount[];
  /**
   * Ends the subscriptions whose namespace is gone, or no longer lets their credential in, within
   * 0.1 s and with a `subscribe_error`. To be called after namespaces have changed.
   */
  onNamespacesChanged(): void;
  counts(): RealtimeCounts;
  /**
   * Refuses new connections, closes those there are with 1001, evenly over `drainMs` (default
   * 30,000), and resolves when all are gone. Publishes are answered meanwhile.
   */
  close(options?: { drainMs?: number | undefined }): Promise<void>;
}

/** Creates a server, which listens nowhere by itself. @throws PlatformError `OPTION_INVALID` */
export function createRealtimeServer(options: RealtimeServerOptions): RealtimeServer {
  return new NodeServer(options);
}

class NodeServer implements RealtimeServer {
  readonly ready: Promise<void>;
  readonly #options: RealtimeServerOptions;
  readonly #path: string;
  readonly #broker: Broker;
  readonly #hub = new Hub();
  readonly #connections: Connections;
  readonly #sendQueue: SendQueue;
  readonly #publishHost: PublishHost;
  readonly #namespaces: NamespaceDirectory;
  readonly #presence: Presence;
  readonly #sweep: SubscriptionSweep;
  #hasBegun = false;
  #closing: Promise<void> | undefined;

  constructor(options: RealtimeServerOptions) {
    this.#options = options;
    this.#path = options.path ?? '/event';
    this.#broker = options.broker ?? new MemoryBroker();
    this.#namespaces = toDirectory(options.namespaces);
    const { defaultPublishAuthModes, defaultSubscribeAuthModes, connectionAuthModes } = options;
    const limits = resolveLimits(options.limits);
    const namespaces = this.#namespaces;
    const credentials = new Credentials(options.authorizers);
    const { addressOf } = options;
    const allowedOrigins = options.allowedOrigins && new Set(options.allowedOrigins);
    const toEntry = (error: unknown): ErrorEntry => this.#toEntry(error);
    const hub = this.#hub;
    const broker = this.#broker;
    const handlers = new HandlerRunner({
      strictAws: options.strictAws,
      timeoutMs: options.handlerTimeoutMs,
      maxEventBytes: limits.maxEventBytes,
      onHandlerError: options.onError,
    });
    const { registry } = options;
    const metrics = registry && new RealtimeMetrics(registry, () => this.counts());
    const sendQueue = new SendQueue(limits.maxWaitingBytes, (at) => metrics?.onWritten(at));
    this.#sendQueue = sendQueue;
    const publisher = new Publisher({
      sendQueue,
      metrics,
      hub,
      broker,
      namespaces,
      handlers,
      limits,
      defaultPublishAuthModes,
      admit: options.admit,
    });
    this.#sweep = new SubscriptionSweep(hub, { namespaces, handlers, defaultSubscribeAuthModes });
    this.#presence = new Presence({
      store: options.presence ?? new MemoryPresence(),
      graceMs: options.presenceGraceMs ?? 5_000,
      maxMembers: limits.membersPerChannel,
      onError: (error) => options.onError?.(error),
    });
    this.#publishHost = { credentials, publisher, limits, allowedOrigins, addressOf, toEntry };
    this.#connections = new Connections({
      host: {
        hub,
        broker,
        beginning: () => this.#beginning(),
        presence: this.#presence,
        publisher,
        credentials,
        limits,
        subscriptionCounts: new RealmCounts(limits.subscriptionsPerRealm, 'subscriptions'),
        namespaces,
        handlers,
        defaultSubscribeAuthModes,
        strictAws: options.strictAws ?? false,
        admit: options.admit,
        toEntry,
      },
      sendQueue,
      connectionAuthModes,
      allowedOrigins,
      addressOf,
      keepAliveMs: options.keepAliveMs ?? 60_000,
    });
    this.ready = broker.start((batch) => publisher.deliverHere(batch));
    const onBegun = (): void => {
      this.#hasBegun = true;
    };
    // Nobody has to wait for it.
    this.ready.then(onBegun, () => undefined);
  }

  attach(server: Server): void {
    const others = server.listeners('request');
    server.removeAllListeners('request');
    server.on('request', (request, response) => {
      if (pathOf(request) === this.#path) void this.handlePublish(request, response);
      else if (others.length === 0) response.writeHead(404).end();
      else for (const listener of others) listener.call(server, request, response);
    });
    server.on('upgrade', (request, socket, head) => {
      if (pathOf(request) === `${this.#path}/realtime`) this.handleUpgrade(request, socket, head);
      else if (server.listenerCount('upgrade') === 1) refuseUpgrade(socket, 404);
    });
  }

  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    this.#connections.accept(request, socket, head);
  }

  handlePublish(request: IncomingMessage, response: ServerResponse): Promise<void> {
    return handlePublish(this.#publishHost, request, response);
  }

  async publish(batch: ChannelBatch): Promise<void> {
    const namespace = this.#namespaces.find(batch.realm, batch.channel.segments[0]);
    if (namespace?.durable ?? true) await this.#publishHost.publisher.append(batch);
    else this.#publishHost.publisher.deliver(batch);
  }

  deliver(batch: ChannelBatch, choice?: DeliveryChoice): void {
    this.#publishHost.publisher.deliverHere(batch, choice);
  }

  hasSubscribers(realm: string, channel: ChannelPath): boolean {
    return this.#hub.hasSubscribers(realm, channel);
  }

  channels(realm: string): ChannelCount[] {
    return this.#hub.channels(realm);
  }

  allChannels(): RealmChannelCount[] {
    return this.#hub.listAll();
  }

  onNamespacesChanged(): void {
    this.#sweep.schedule();
  }

  counts(): RealtimeCounts {
    return {
      connections: this.#connections.size,
      subscriptions: this.#hub.subscriptions,
      messages: this.#hub.messages,
      slowConsumers: this.#connections.slowConsumers,
      bytesOut: this.#sendQueue.bytesOut,
    };
  }

  close({ drainMs = 30_000 }: { drainMs?: number | undefined } = {}): Promise<void> {
    this.#closing ??= this.#close(drainMs);
    return this.#closing;
  }

  async #close(drainMs: number): Promise<void> {
    await this.#connections.drain(drainMs);
    this.#presence.close();
    if (!this.#options.broker) await this.#broker.close();
  }

  /** Returns undefined as soon as the broker has begun. @throws PlatformError `STOPPING` */
  #beginning(): Promise<void> | undefined {
    if (this.#hasBegun) return undefined;
    return withTimeout(this.ready, maxStartMs, () => {
      throw new PlatformError('STOPPING', `the broker has not begun within ${maxStartMs} ms`);
    });
  }

  #toEntry(error: unknown): ErrorEntry {
    if (error instanceof RealtimeError) return error.toEntry();
    this.#options.onError?.(error);
    const status = error instanceof PlatformError ? error.httpStatus : 500;
    return {
      errorType: 'InternalFailureException',
      errorCode: Math.max(500, status),
      message: 'The server could not do this. Try again.',
    };
  }
}

function toDirectory(namespaces: readonly Namespace[] | NamespaceDirectory): NamespaceDirectory {
  if ('find' in namespaces && !Array.isArray(namespaces)) return namespaces as NamespaceDirectory;
  const byName = new Map((namespaces as readonly Namespace[]).map((each) => [each.name, each]));
  for (const { name, handlers: _, ...settings } of byName.values()) checkNamespace(name, settings);
  return { find: (_realm, name) => byName.get(name) };
}

/** @throws PlatformError `OPTION_INVALID`: a schema that cannot be compiled would fail each publish */
function checkNamespace(name: string, settings: NamespaceSettings): void {
  const fault = namespaceNameFault(name);
  const faults = namespaceSettingFaults(settings).map((each) => `${each.field} ${each.message}`);
  const all = fault === undefined ? faults : [`name ${fault}`, ...faults];
  if (all.length === 0) return;
  throw new PlatformError('OPTION_INVALID', `namespace '${name}': ${all.join('; ')}`);
}
