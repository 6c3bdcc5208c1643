import { canUse, coversChannels, type Scope } from '@posthaste/access';
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

/**
 * Refuses a caller that may not publish events to a namespace that forwards: whoever publishes on its
 * channels does.
 * @throws PlatformError `SCOPE_MISSING`
 */
export function requireForwarding(
  { caller }: FastifyRequest,
  { application }: NamespaceKey,
  { forwardTo }: SentSettings,
): void {
  if (!forwardTo) return;
  const scope: Scope = 'events:write';
  const applications = application === undefined ? 'all' : [application];
  if (canUse(caller, { applications, scopes: [scope] })) return;
  const message = `'${caller.name}' lacks the scope ${scope}, which forwardTo needs`;
  const details = { needed: scope, held: caller.scopes };
  throw new PlatformError('SCOPE_MISSING', message, { details });
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
