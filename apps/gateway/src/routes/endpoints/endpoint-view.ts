import { eventFormats } from '@posthaste/callbacks';
import type { Endpoint } from '@posthaste/callbacks/management';
import { type Static, type TSchema, Type } from 'typebox';
import { retryChoiceSchema, toRetryChoice } from '../callbacks/retry-choice.js';
import { headersSchema, idSchema, momentSchema, nullable } from '../schemas/field-schemas.js';
import {
  maskCredentials,
  maskedHeadersDescription,
  maskedUrlDescription,
  maskQuery,
} from '../schemas/masking.js';

export const eventFormatDescription =
  'Form in which it gets events: `envelope` is the event as JSON, `cloudevents-structured` a CloudEvent as JSON, `cloudevents-binary` a CloudEvent with its attributes in `ce-` headers and its data as the body.';

const View = Type.Object(
  {
    id: idSchema,
    application: Type.String(),
    name: Type.String(),
    url: Type.String(),
    headers: headersSchema,
    retry: retryChoiceSchema,
    timeoutMs: Type.Integer(),
    ratePerSecond: nullable(Type.Number()),
    maxConcurrency: nullable(Type.Integer()),
    order: Type.String(),
    eventFormat: Type.Enum([...eventFormats], {
      type: 'string',
      description: eventFormatDescription,
    }),
    notificationEmail: nullable(Type.String()),
    state: Type.Enum(['active', 'paused', 'disabled'], {
      type: 'string',
      description:
        '`paused`: it was paused by a call. `disabled`: its receiver answered 410, or it was disabled by a call. Callbacks to a paused or disabled endpoint wait.',
    }),
    stateReason: nullable(Type.String()),
    createdAt: momentSchema,
    updatedAt: momentSchema,
  },
  { title: 'Endpoint' },
);

/** An endpoint in answers, without its secret. */
export const endpointSchema: TSchema = View;

/** An endpoint in a list. */
export const listedEndpointSchema: TSchema = Type.Object(
  {
    ...View.properties,
    url: Type.String({ description: maskedUrlDescription }),
    headers: { ...headersSchema, description: maskedHeadersDescription },
  },
  { title: 'ListedEndpoint' },
);

export function toListedEndpointView(endpoint: Endpoint): object {
  const { url, headers } = endpoint;
  return toEndpointView({ ...endpoint, url: maskQuery(url), headers: maskCredentials(headers) });
}

export function toEndpointView(endpoint: Endpoint): object {
  const view: Static<typeof View> = {
    id: endpoint.id,
    application: endpoint.application,
    name: endpoint.name,
    url: endpoint.url,
    headers: { ...endpoint.headers },
    retry: toRetryChoice(endpoint.policy),
    timeoutMs: endpoint.timeoutMs,
    ratePerSecond: endpoint.ratePerSecond ?? null,
    maxConcurrency: endpoint.maxConcurrency ?? null,
    order: endpoint.order,
    eventFormat: endpoint.eventFormat,
    notificationEmail: endpoint.notificationEmail ?? null,
    state: endpoint.state,
    stateReason: endpoint.stateReason ?? null,
    createdAt: endpoint.createdAt.toISOString(),
    updatedAt: endpoint.updatedAt.toISOString(),
  };
  return view;
}
