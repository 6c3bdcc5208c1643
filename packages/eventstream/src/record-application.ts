import { applicationHeader, isApplicationName } from '@posthaste/contracts';
import type { StoredRecord } from './record.js';

/**
 * Returns the application that the headers of a record name. Undefined: they name none, or what they
 * name cannot be the name of one.
 */
export function applicationOf({ headers }: Pick<StoredRecord, 'headers'>): string | undefined {
  const application = headers[applicationHeader];
  return application !== undefined && isApplicationName(application) ? application : undefined;
}
