import { PlatformError } from '@posthaste/contracts';
import { checkName, isName } from '../field-checks.js';
import { type FieldFault, requestInvalid, withApplication } from '../field-faults.js';

/** Identifies a secret. */
export interface SecretKey {
  readonly application: string;
  readonly name: string;
}

/** First part of the names of endpoints' secrets. */
export const endpointSecretPrefix = 'endpoint:';
/** Separates application and name. Neither can contain it: it is a control character. */
const separator = '\n';

/** Returns the name that the secret of an endpoint has in the endpoint's application. */
export function endpointSecretName(endpointId: string): string {
  return endpointSecretPrefix + endpointId;
}

/** True if a secret can have these names. It also keeps the separator out of them. */
export function isSecretKey({ application, name }: SecretKey): boolean {
  return isName(application) && isName(name);
}

/** Checks the names of an application's own secret. @throws PlatformError `REQUEST_INVALID` */
export function checkSecretKey({ application, name }: SecretKey): void {
  const faults: FieldFault[] = [];
  checkName('application', application, faults);
  checkName('name', name, faults);
  if (name === '') faults.push({ field: 'name', message: 'is empty' });
  if (name.startsWith(endpointSecretPrefix)) {
    const message = `begins with ${endpointSecretPrefix}, which is reserved for endpoints`;
    faults.push({ field: 'name', message });
  }
  if (faults.length > 0) throw requestInvalid(faults);
}

/** Converts a key to text. The text must never change: stored secrets are sealed with it. */
export function toKeyText({ application, name }: SecretKey): string {
  return application + separator + name;
}

/** Converts the text of {@link toKeyText} back to the key. */
export function fromKeyText(text: string): SecretKey {
  const [application = '', name = ''] = text.split(separator);
  return { application, name };
}

/** Returns a secret with its application, for messages. */
export function describeSecret({ application, name }: SecretKey): string {
  return withApplication(`secret '${name}'`, application);
}

/** Returns the error for a key that no secret has. */
export function secretNotFound({ application, name }: SecretKey): PlatformError {
  const secret = describeSecret({ application: application.slice(0, 64), name: name.slice(0, 64) });
  return new PlatformError('SECRET_NOT_FOUND', `there is no ${secret}`);
}
