import {
  type ClientOptions,
  connect,
  createApiKeyConfig,
  type ReconnectOptions,
  type SubscriptionMessage,
  type WebSocketClient,
} from '@posthaste/appsync-client';
import { onTestFinished } from 'vitest';
import type { PlainServer } from './plain-server.js';

/** Connects our client with short waits between reconnects. */
export async function open(
  { host }: PlainServer,
  options: ClientOptions & { reconnect?: ReconnectOptions } = {},
): Promise<WebSocketClient> {
  const config = createApiKeyConfig(`http://${host}/event`, undefined, 'da2-test');
  const reconnect = { initialMs: 5, maxMs: 50 };
  const client = await connect(config, { reconnect, publishesPerSecond: 10_000, ...options });
  onTestFinished(() => client.close());
  return client;
}

/** Takes items until there are `count`. */
export async function take(items: AsyncIterable<SubscriptionMessage>, count: number) {
  const taken: SubscriptionMessage[] = [];
  for await (const item of items) {
    taken.push(item);
    if (taken.length === count) break;
  }
  return taken;
}
