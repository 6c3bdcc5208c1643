import { PlatformError } from '@posthaste/contracts';
import { checkName } from '../field-checks.js';
import { callbackInvalid, type FieldFault, withApplication } from '../field-faults.js';

/** Identifies a queue. */
export interface QueueKey {
  /** An application that the caller may see and change. */
  readonly application: string;
  readonly queue: string;
}

/**
 * Checks the names of a queue as intake does. Otherwise settings could be stored for a queue that
 * no callback can be in.
 * @throws PlatformError `CALLBACK_INVALID`
 */
export function checkQueueKey({ application, queue }: QueueKey): void {
  const faults: FieldFault[] = [];
  checkName('application', application, faults);
  checkName('queue', queue, faults);
  if (queue === '') faults.push({ field: 'queue', message: 'is missing' });
  if (faults.length > 0) throw callbackInvalid(faults);
}

/** Returns an error about a queue; `message` follows its name. */
export function queueError(
  code: 'QUEUE_NOT_FOUND' | 'QUEUE_STATE',
  { application, queue }: QueueKey,
  message: string,
): PlatformError {
  return new PlatformError(code, `${withApplication(`queue '${queue}'`, application)} ${message}`);
}
