import { platformActor } from '@posthaste/access';
import type { AdmittedOperation, Authorizer } from '@posthaste/appsync-server';
import type { ApplicationStates } from '../access/application-access.js';
import { toActor } from '../audit/change-author.js';
import { callerOf, forbidden } from './platform-authorizer.js';

/** Registers the applications that the file names. */
export function registerConfigured(
  states: Pick<ApplicationStates, 'register'>,
  applications: readonly string[],
): void {
  if (applications.length > 0) void states.register(applications, { actor: platformActor });
}

/**
 * Registers the application of a publish if it may be new: its caller may name any. Keys for some
 * applications have registered them.
 */
export function registerPublished(
  states: Pick<ApplicationStates, 'isRegistered' | 'register'>,
  { identity, operation }: AdmittedOperation,
): void {
  const { realm } = identity;
  if (operation !== 'publish' || realm === '' || states.isRegistered(realm)) return;
  const caller = callerOf(identity);
  if (caller?.applications === 'all') {
    void states.register([realm], { actor: toActor(caller) });
  }
}

/** Returns the authorizer of an application, which refuses everything while that is being deleted. */
export function refuseDeleting(
  authorizer: Authorizer,
  application: string,
  states: Pick<ApplicationStates, 'isDeleting'>,
): Authorizer {
  return {
    mode: authorizer.mode,
    accepts: (headers) => authorizer.accepts(headers),
    authorize(request) {
      if (states.isDeleting(application)) throw forbidden('The application is being deleted.');
      return authorizer.authorize(request);
    },
    isValid: (identity) =>
      !states.isDeleting(application) && authorizer.isValid?.(identity) !== false,
  };
}
