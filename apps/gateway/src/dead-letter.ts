import { failedRecordHeaders, type StoredRecord } from '@posthaste/eventstream';

/** What a dead letter says of its failure; headers may lack, or have been written by anybody. */
export interface FailedDelivery {
  readonly topic: string | undefined;
  readonly partition: number | undefined;
  readonly offset: number | undefined;
  readonly appendedAt: Date | undefined;
  readonly group: string | undefined;
  readonly error: string | undefined;
  /** Times that it was handed to a consumer; 0: it could not be read. */
  readonly attempts: number | undefined;
  /** Event name that the subscription asked for; empty: all. */
  readonly subscription: string | undefined;
}

const names = failedRecordHeaders;

export function readFailedDelivery({ headers }: StoredRecord): FailedDelivery {
  const timestamp = toWhole(headers[names.timestamp]);
  return {
    topic: headers[names.topic],
    partition: toWhole(headers[names.partition]),
    offset: toWhole(headers[names.offset]),
    appendedAt: timestamp === undefined ? undefined : new Date(timestamp),
    group: headers[names.group],
    error: headers[names.error],
    attempts: toWhole(headers[names.attempts]),
    subscription: headers[names.subscription],
  };
}

/** A whole number that a moment in milliseconds may be too. */
function toWhole(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}
