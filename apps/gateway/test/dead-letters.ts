import { failedRecordHeaders } from '@posthaste/eventstream';
import type { TestEvents } from './test-events.js';

/** Input of a dead letter. */
export interface LetterInput {
  readonly name: string;
  readonly key?: string;
  readonly topic?: string;
  readonly group?: string;
  /** Default: none. */
  readonly application?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Appends dead letters to the log, as consumers do. */
export async function putDeadLetters(
  { db, log }: Pick<TestEvents, 'db' | 'log'>,
  letters: readonly LetterInput[],
): Promise<void> {
  const names = failedRecordHeaders;
  await db.transaction((tx) =>
    log.append(
      tx,
      letters.map(({ name, key = 'k', topic = 'orders', group = 'mail', ...more }, offset) => ({
        topic: `${topic}.dlq`,
        application: more.application,
        key: Buffer.from(key),
        value: Buffer.from(JSON.stringify({ id: name, name, namespace: '', payload: {} })),
        headers: more.headers ?? {
          ce_type: name,
          [names.topic]: topic,
          [names.partition]: '2',
          [names.offset]: String(offset),
          [names.timestamp]: '1767323045678',
          [names.group]: group,
          [names.error]: 'INTERNAL: it broke',
          [names.attempts]: '5',
          [names.subscription]: '',
        },
      })),
    ),
  );
}
