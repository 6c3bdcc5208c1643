import {
  type EventEnvelope,
  eventDataOf,
  eventTypeOf,
  stringifyExactJson,
} from '@posthaste/contracts';
import { printable } from './output.js';

/** Event in the log, as the gateway answers. */
export interface EventDetails {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly key: string | null;
  readonly appendedAt: string;
  readonly event: EventEnvelope | null;
  readonly value?: { readonly text: string | null; readonly base64: string | null };
}

/**
 * Describes an event in one line: time, position, name, key and payload. One that came as a CloudEvent
 * is shown with its type and its data.
 */
export function describeEvent(details: EventDetails): string {
  const { topic, partition, offset, appendedAt, event, value } = details;
  const key = details.key ?? '-';
  const position = `${topic}/${partition}@${offset}`;
  const data = event ? eventDataOf(event) : undefined;
  const content = event
    ? [String(eventTypeOf(event)), key, stringifyExactJson(data === undefined ? {} : data)]
    : ['(no event)', key, value?.text ?? value?.base64 ?? '-'];
  return [appendedAt, position, ...content].map(printable).join('  ');
}
