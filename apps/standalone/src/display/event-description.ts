import { stringifyExactJson } from '@posthaste/contracts';
import { printable } from './output.js';

/** An event in the log, as the gateway answers. */
export interface EventDetails {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly key: string | null;
  readonly appendedAt: string;
  readonly event: { readonly name?: unknown; readonly payload?: unknown } | null;
  readonly value?: { readonly text: string | null; readonly base64: string | null };
}

/** An event in one line: when, where, what, its key, its payload. */
export function describeEvent(details: EventDetails): string {
  const { topic, partition, offset, appendedAt, event, value } = details;
  const key = details.key ?? '-';
  const place = `${topic}/${partition}@${offset}`;
  const content = event
    ? [String(event.name), key, stringifyExactJson(event.payload ?? {})]
    : ['(no event)', key, value?.text ?? value?.base64 ?? '-'];
  return [appendedAt, place, ...content].map(printable).join('  ');
}
