import { coversChannels } from '@posthaste/access';
import { type NamespaceSettings, namespaceSettingFaults } from '@posthaste/appsync-server';
import type { NamespaceKey } from '@posthaste/appsync-server/postgres';
import { requestInvalid } from '@posthaste/callbacks';
import { PlatformError } from '@posthaste/contracts';
import type { FastifyRequest } from 'fastify';
import type { SentSettings } from './namespace-view.js';

/** True if the topic belongs to another application than this one. */
export type ForeignTopicCheck = (topic: string, application: string) => boolean;

/**
 * Refuses a caller that may not use all channels of the namespace.
 * @throws PlatformError `CHANNEL_FORBIDDEN`
 */
export function requireNamespace({ caller }: FastifyRequest, { name }: NamespaceKey): void {
  const { channels: held = null } = caller;
  if (coversChannels(held, [`/${name}/*`])) return;
  const message = `'${caller.name}' may not use all channels of the namespace '${name}'`;
  throw new PlatformError('CHANNEL_FORBIDDEN', message, { details: { held } });
}

/** Returns settings without those that are null. @throws PlatformError `REQUEST_INVALID` */
export function checkSettings(
  sent: SentSettings,
  { application }: NamespaceKey,
  isForeignTopic: ForeignTopicCheck,
): NamespaceSettings {
  const settings = Object.fromEntries(
    Object.entries(sent).filter(([, value]) => value !== null),
  ) as NamespaceSettings;
  const faults = namespaceSettingFaults(settings);
  const { topic } = settings.forwardTo ?? {};
  const isNamed = topic !== undefined && application !== undefined && faults.length === 0;
  if (isNamed && isForeignTopic(topic, application)) {
    const message = `has the topic '${topic}', which belongs to another application`;
    faults.push({ field: 'forwardTo', message });
  }
  if (faults.length === 0) return settings;
  throw requestInvalid(faults);
}
