import type { Client } from '../src/client/client.js';
import type { ClientConfig } from '../src/client/client-config.js';
import { createClient } from '../src/client/create-client.js';
import { MemoryStream } from '../src/drivers/memory/memory-stream.js';

/**
 * Options to read from the beginning, so that a test need not wait until the consumer has joined.
 */
export const fromStart = { offset: -2 } as const;

/** Creates a client with the prefix `shop` on a stream in memory, by default with one partition. */
export async function openMemoryClient(
  config: ClientConfig = {},
): Promise<{ client: Client; memory: MemoryStream }> {
  const memory = config.memory ?? new MemoryStream({ partitions: 1 });
  return { client: await createClient('shop', 'memory', [], { ...config, memory }), memory };
}
