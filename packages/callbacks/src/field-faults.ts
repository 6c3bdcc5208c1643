import { PlatformError } from '@posthaste/contracts';

/** Fault of one field of a request, such as `timeoutMs` `must be 1 to 28000`. */
export interface FieldFault {
  readonly field: string;
  readonly message: string;
}

/** Creates the error of a callback request with these faults. */
export function callbackInvalid(faults: readonly FieldFault[]): PlatformError {
  return new PlatformError('CALLBACK_INVALID', describe(faults), { details: faults });
}

/** Creates the error of any other request with these faults. */
export function requestInvalid(faults: readonly FieldFault[]): PlatformError {
  return new PlatformError('REQUEST_INVALID', describe(faults), { details: faults });
}

function describe(faults: readonly FieldFault[]): string {
  return faults.map(({ field, message }) => `${field} ${message}`).join('; ');
}

/**
 * Returns a thing with its application, for messages: `queue 'orders' of application 'shop'`.
 * Applications are optional: without one it returns the thing alone.
 */
export function withApplication(thing: string, application: string): string {
  return application === '' ? thing : `${thing} of application '${application}'`;
}
