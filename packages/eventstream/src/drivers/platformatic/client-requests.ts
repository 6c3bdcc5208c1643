import type { Base, ClusterTopicMetadata, MetadataOptions } from '@platformatic/kafka';
import { PlatformError, settlesWithin } from '@posthaste/contracts';

const closeTimeoutMs = 2_000;

type Client = Pick<Base, 'metadata' | 'close'>;

/** @throws PlatformError `TOPIC_NOT_FOUND`, or an error of the library */
export async function readTopic(
  client: Client,
  topic: string,
  options: MetadataOptions = {},
): Promise<ClusterTopicMetadata> {
  const missing = (cause?: unknown): PlatformError =>
    new PlatformError('TOPIC_NOT_FOUND', `there is no topic ${topic}`, { cause });
  try {
    const found = (await client.metadata({ ...options, topics: [topic] })).topics.get(topic);
    if (found) return found;
  } catch (error) {
    // It takes an unknown topic for a mistake of its user's, and tells no more.
    if ((error as { readonly code?: unknown }).code === 'PLT_KFK_USER') throw missing(error);
    throw error;
  }
  throw missing();
}

/** Closes a client, or leaves it to its timeouts when it does not close. Never rejects. */
export async function closeWithin(client: Client): Promise<void> {
  await settlesWithin(client.close(), closeTimeoutMs);
}
