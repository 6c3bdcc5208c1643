import type { ErrorCode } from '@posthaste/contracts';
import type { ApplicationSource } from '../access/application-source.js';

/** Description of a source of applications, and the codes of its check. */
interface SourceDocs {
  readonly description?: string;
  readonly errors: readonly ErrorCode[];
}

/** Every source, as the API document describes it. access/application-access.ts implements them. */
export const applicationDocs: Readonly<Record<ApplicationSource, SourceDocs>> = {
  none: { errors: [] },
  caller: { errors: [] },
  all: {
    description: 'Only for callers for all applications.',
    errors: ['APPLICATION_SCOPE_MISSING'],
  },
  filter: {
    description:
      '`application` names one application; without it, the answer has everything that the caller may see.',
    errors: ['APPLICATION_FORBIDDEN', 'APPLICATION_DELETING'],
  },
  named: {
    description:
      '`application` names the application; without it, it is that of the caller, or POSTHASTE_DEFAULT_APPLICATION for a caller for all.',
    errors: ['APPLICATION_FORBIDDEN', 'APPLICATION_REQUIRED', 'APPLICATION_DELETING'],
  },
  items: {
    description:
      'What names no application belongs to that of the caller, or to POSTHASTE_DEFAULT_APPLICATION for a caller for all.',
    errors: ['APPLICATION_FORBIDDEN', 'APPLICATION_REQUIRED', 'APPLICATION_DELETING'],
  },
  owner: {
    description: 'What belongs to an application that the caller does not have is not found.',
    errors: ['APPLICATION_DELETING'],
  },
};
