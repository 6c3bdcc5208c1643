import { type Applications, PlatformError, parseId } from '@posthaste/contracts';
import type { CallbackState } from '../delivery/delivery.js';

/** Filter of callbacks. A callback must match every member that is given. */
export interface CallbackFilter {
  readonly state?: CallbackState | undefined;
  readonly application?: string | undefined;
  readonly queue?: string | undefined;
  readonly endpointId?: string | undefined;
  /** Earliest time in the id, which is the clock of the process that accepted the callback. */
  readonly createdFrom?: Date | undefined;
  /** The end of that time, exclusive. */
  readonly createdTo?: Date | undefined;
  /** Host of the URL, such as `example.com`, or host and port, such as `example.com:8443`. */
  readonly host?: string | undefined;
  /** Status code of the last attempt; 0 when it had no answer. */
  readonly statusCode?: number | undefined;
}

/** Filter of a list of callbacks. */
export interface CallbackListFilter extends CallbackFilter {
  /** Applications whose callbacks the caller may see. */
  readonly within: Applications;
}

/** Checks a filter. @throws PlatformError `REQUEST_INVALID` with everything that is wrong */
export function checkFilter(filter: CallbackFilter): void {
  const { application, queue, endpointId, createdFrom, createdTo, host } = filter;
  const faults: string[] = [];
  for (const [field, text] of Object.entries({ application, queue, host })) {
    if (text?.includes('\0')) faults.push(`${field} contains control characters`);
  }
  if (endpointId !== undefined && parseId(endpointId) === undefined) {
    faults.push('endpointId is not an id');
  }
  for (const [field, moment] of Object.entries({ createdFrom, createdTo })) {
    if (moment && !(moment.getTime() >= 0 && moment.getTime() < 2 ** 48)) {
      faults.push(`${field} is out of range`);
    }
  }
  if (faults.length > 0) throw new PlatformError('REQUEST_INVALID', faults.join('; '));
}
