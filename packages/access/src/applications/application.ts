/**
 * Limits of one application; `null` is no limit of its own. Over a limit, requests are refused until
 * there is capacity again.
 */
export interface ApplicationLimits {
  /** Requests to the API per second. */
  readonly requestsPerSecond: number | null;
  /** Accepted callbacks per second. */
  readonly deliveriesPerSecond: number | null;
  /** Published events per second. */
  readonly eventsPerSecond: number | null;
  /** Callbacks that are not finished. */
  readonly backlog: number | null;
  readonly endpoints: number | null;
  /** Bytes of stored requests, attempts and events. */
  readonly storedBytes: number | null;
}

export type LimitName = keyof ApplicationLimits;

/** Every limit, in the order in which they are shown. */
export const limitNames: readonly LimitName[] = [
  'requestsPerSecond',
  'deliveriesPerSecond',
  'eventsPerSecond',
  'backlog',
  'endpoints',
  'storedBytes',
];

/** `deleting`: everything it has is being removed; requests to it are refused. */
export type ApplicationState = 'active' | 'deleting';

/** Application: a tenant. */
export interface Application {
  /** Any text of up to 256 characters; the empty text is one. Compared character by character. */
  readonly name: string;
  readonly state: ApplicationState;
  readonly limits: ApplicationLimits;
  /** Time for which its finished callbacks are kept, in ms; `null` is the default. */
  readonly retentionMs: number | null;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

/** Change of an application. What it does not name stays. */
export interface ApplicationChange {
  /** Limits to change; `null` removes one. */
  readonly limits?: Partial<ApplicationLimits> | undefined;
  readonly retentionMs?: number | null | undefined;
}

/** Returns all limits, in their order, of those that are stored. */
export function toLimits(stored: unknown): ApplicationLimits {
  const given = new Map(Object.entries(stored ?? {}));
  const limits = limitNames.map((name) => [name, toLimit(given.get(name))]);
  return Object.fromEntries(limits) as ApplicationLimits;
}

function toLimit(value: unknown): number | null {
  return typeof value === 'number' && Number.isSafeInteger(value) && value > 0 ? value : null;
}
