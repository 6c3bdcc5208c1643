import { expect, onTestFinished } from 'vitest';
import {
  type ClientOptions,
  connect,
  createApiKeyConfig,
  type ReconnectOptions,
  type SubscriptionMessage,
  type WebSocketClient,
} from '../src/index.js';
import type { ClientFrame, Peer, ScriptedServer } from './scripted-server.js';

/** Protocols of a server that needs no TLS. */
export const plain = { httpProtocol: 'http', webSocketProtocol: 'ws' } as const;

/** Returns the configuration of a server that needs no TLS. */
export function configOf({ endpoint }: ScriptedServer) {
  return createApiKeyConfig(endpoint, undefined, 'da2-key', plain);
}

/** Connects with short waits between reconnects. */
export async function open(
  server: ScriptedServer,
  options: ClientOptions & { reconnect?: ReconnectOptions | false } = {},
): Promise<WebSocketClient> {
  const client = await connect(configOf(server), {
    reconnect: { initialMs: 5, maxMs: 20 },
    ...options,
  });
  onTestFinished(() => client.close());
  return client;
}

/** Returns the connection that began last. */
export const last = ({ peers }: ScriptedServer): Peer => peers.at(-1) as Peer;

/** Returns the frames of a type that the server has got. */
export const framesOf = (peer: Peer, type: string): ClientFrame[] =>
  peer.frames.filter((frame) => frame.type === type);

/** Returns the id of the subscription that a connection began last. */
export const idOf = (peer: Peer): string | undefined => framesOf(peer, 'subscribe').at(-1)?.id;

/** Takes items until there are `count`. */
export async function take(items: AsyncIterable<SubscriptionMessage>, count: number) {
  const taken: SubscriptionMessage[] = [];
  for await (const item of items) {
    taken.push(item);
    if (taken.length === count) break;
  }
  return taken;
}

/** Matches an error with a reason. */
export const reasonOf = (reason: string) => expect.objectContaining({ reason });
