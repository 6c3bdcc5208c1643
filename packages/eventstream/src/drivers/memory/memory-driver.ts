import { PlatformError } from '@posthaste/contracts';
import type {
  AppendRequest,
  Driver,
  DriverSubscription,
  GroupLag,
  SubscriptionHandler,
  SubscriptionRequest,
} from '../../driver.js';
import type { MemoryStream } from './memory-stream.js';

/** Creates a client's connection to a stream in memory. Closing it leaves the stream as it is. */
export function createMemoryDriver(stream: MemoryStream): Driver {
  return new MemoryDriver(stream);
}

class MemoryDriver implements Driver {
  readonly #stream: MemoryStream;
  readonly #subscriptions = new Set<DriverSubscription>();
  #closed = false;

  constructor(stream: MemoryStream) {
    this.#stream = stream;
  }

  async partitionCount(topic: string): Promise<number> {
    return this.#openStream().partitionCount(topic);
  }

  async append(request: AppendRequest): Promise<void> {
    this.#openStream().append(request);
  }

  subscribe(request: SubscriptionRequest, handler: SubscriptionHandler): DriverSubscription {
    const subscription = this.#openStream().subscribe(request, handler);
    this.#subscriptions.add(subscription);
    return subscription;
  }

  async lag(topic: string, groupId?: string): Promise<readonly GroupLag[]> {
    return this.#openStream().lag(topic, groupId);
  }

  async ping(): Promise<void> {
    this.#openStream().assertAvailable();
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#subscriptions].map((subscription) => subscription.close()));
  }

  #openStream(): MemoryStream {
    if (this.#closed) throw new PlatformError('STREAM_CLOSED', 'the driver was closed');
    return this.#stream;
  }
}
