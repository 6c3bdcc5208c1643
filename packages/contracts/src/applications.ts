/**
 * Applications that somebody may see: all, or those of the list. An application is a tenant; its
 * name is any text of up to 256 characters, and the empty text is one.
 */
export type Applications = 'all' | readonly string[];

const maxLength = 256;
const controlCharacter = /\p{Cc}/u;

/** True if an application can have this name: up to 256 characters, none of control. */
export function isApplicationName(name: string): boolean {
  // Half a surrogate pair would be stored as another character: two names would become one.
  return name.length <= maxLength && !controlCharacter.test(name) && name.isWellFormed();
}

/** True if the application is one of them. */
export function includesApplication(applications: Applications, application: string): boolean {
  return applications === 'all' || applications.includes(application);
}

/** True if all applications of `needed` are among those of `held`. */
export function coversApplications(held: Applications, needed: Applications): boolean {
  if (held === 'all' || held === needed) return true;
  return needed !== 'all' && needed.every((application) => held.includes(application));
}

/** Returns the application of somebody who has exactly one; undefined for several, all or none. */
export function onlyApplication(applications: Applications): string | undefined {
  return applications !== 'all' && applications.length === 1 ? applications[0] : undefined;
}

/**
 * Returns the SQL parameter of a condition on applications, `null` for all:
 * `($n::text[] is null or application = any($n))`.
 */
export function toApplicationColumn(applications: Applications): readonly string[] | null {
  return applications === 'all' ? null : applications;
}

/**
 * Header of a record in the event log and in Kafka that names the application it belongs to. The
 * envelope of the event does not name it.
 */
export const applicationHeader = 'posthaste-application';
