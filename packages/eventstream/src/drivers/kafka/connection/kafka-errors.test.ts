import { createRequire } from 'node:module';
import { MultipleErrors, NetworkError, protocolErrors, ResponseError } from '@platformatic/kafka';
import { describe, expect, it } from 'vitest';
import { toAppendError } from './kafka-errors.js';
import { loadKafkajsInternals } from './kafkajs-internals.js';

const { createErrorFromCode } = loadKafkajsInternals();
const { KafkaJSConnectionError, KafkaJSRequestTimeoutError } = createRequire(import.meta.url)(
  'kafkajs',
) as Record<
  'KafkaJSConnectionError' | 'KafkaJSRequestTimeoutError',
  new (
    message: string,
    details: object,
  ) => Error
>;

const produceKey = 0;

/** Returns the error of a leader's response as kafkajs and as @platformatic/kafka give it. */
function errorsOf(name: string): Error[] {
  const code = protocolErrors[name]?.code ?? 0;
  const errors: Record<string, [number, null]> = { '/responses/0': [code, null] };
  const response = new ResponseError(produceKey, 11, errors, undefined);
  return [createErrorFromCode(code), new MultipleErrors('Producing failed.', [response])];
}

const codesOf = (errors: readonly (Error | undefined)[]): string[] =>
  errors.map((error) => toAppendError(error, 'append').code);

describe('a request to append that was sent', () => {
  it.each([
    ['MESSAGE_TOO_LARGE', 'EVENT_TOO_LARGE'],
    ['RECORD_LIST_TOO_LARGE', 'EVENT_TOO_LARGE'],
    ['INVALID_TIMESTAMP', 'EVENT_INVALID'],
    ['TOPIC_AUTHORIZATION_FAILED', 'STREAM_UNAUTHORIZED'],
    ['UNKNOWN_TOPIC_OR_PARTITION', 'TOPIC_NOT_FOUND'],
    ['NOT_ENOUGH_REPLICAS', 'STREAM_UNAVAILABLE'],
    ['CORRUPT_MESSAGE', 'STREAM_UNAVAILABLE'],
  ])('has written nothing when the leader answers %s: %s', (name, code) => {
    expect(codesOf(errorsOf(name))).toEqual([code, code]);
  });

  it.each([
    // The leader was stopped or replaced, perhaps after it had written the records.
    'NOT_LEADER_OR_FOLLOWER',
    'FENCED_LEADER_EPOCH',
    'NOT_ENOUGH_REPLICAS_AFTER_APPEND',
    'REQUEST_TIMED_OUT',
    'NETWORK_EXCEPTION',
    'KAFKA_STORAGE_ERROR',
    'UNKNOWN_SERVER_ERROR',
  ])('may have written everything when the leader answers %s', (name) => {
    expect(codesOf(errorsOf(name))).toEqual(['EVENT_OUTCOME_UNKNOWN', 'EVENT_OUTCOME_UNKNOWN']);
  });

  it('may have written everything when there is no response, whatever happened to the connection', () => {
    const failures = [
      new KafkaJSConnectionError('closed', {}),
      // kafkajs fails requests that wait on a connection with the error of its next connection.
      new KafkaJSConnectionError('refused', { code: 'ECONNREFUSED' }),
      new KafkaJSRequestTimeoutError('timed out', {}),
      new NetworkError('Connection closed'),
      new Error('something else'),
    ];
    expect(new Set(codesOf(failures))).toEqual(new Set(['EVENT_OUTCOME_UNKNOWN']));
  });
});
