import type { EventEnvelope } from '@posthaste/contracts';
import type { PublishRequest } from './publish.js';

/** The fields of a request that go into the envelope as they are, with its names for them. */
export const envelopeKeyOf: ReadonlyMap<string, keyof EventEnvelope> = new Map(
  Object.entries({
    parentNamespace: 'parentNamespace',
    unionNamespace: 'unionNamespace',
    clientId: 'clientId',
    traceId: 'traceId',
    userId: 'userId',
    sessionId: 'sessionId',
    eventId: 'event_id',
    eventType: 'event_type',
    eventLevel: 'event_level',
    serviceName: 'service',
    clientIds: 'client_ids',
    targetUserIds: 'target_user_ids',
    targetNamespace: 'target_namespace',
    privacy: 'privacy',
    sourceNamespace: 'sourceNamespace',
    additionalFields: 'additional_fields',
    payload: 'payload',
    unknownKeys: 'unknownKeys',
  } satisfies { [Field in keyof PublishRequest]?: keyof EventEnvelope }),
);

/** The same the other way round. */
export const requestFieldOf: ReadonlyMap<string, string> = new Map(
  [...envelopeKeyOf].map(([field, key]) => [key, field]),
);
