import type { PostgresLog } from '@posthaste/eventstream';

/** What reading events needs of the log. */
export type ReadableLog = Pick<PostgresLog, 'listEvents' | 'watch'>;
