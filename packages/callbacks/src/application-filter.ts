import type { Applications } from '@posthaste/contracts';

/** Filter of a list by application. */
export interface ApplicationFilter {
  /** Applications that the caller may see: rows of others are neither found nor read. */
  readonly within: Applications;
  /** Only those of this application. Default: those of all that the caller may see. */
  readonly application?: string | undefined;
}

/** Returns the applications that a list may show, each once; `undefined` for all. */
export function listedApplications({
  within,
  application,
}: ApplicationFilter): readonly string[] | undefined {
  if (application === undefined) return within === 'all' ? undefined : [...new Set(within)];
  return within === 'all' || within.includes(application) ? [application] : [];
}
