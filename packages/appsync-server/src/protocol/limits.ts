import { PlatformError } from '@posthaste/contracts';

/** Limits of a server. Defaults are the quotas of AWS. */
export interface Limits {
  /** Events of one publish. Default 5. */
  readonly eventsPerPublish: number;
  /** Largest event, in bytes. Default 245,760 (240 KB). */
  readonly maxEventBytes: number;
  /** Largest sum of the events of one publish, in bytes. Default 1,228,800 (1.2 MB). */
  readonly maxPublishBytes: number;
  /** Largest subscribe frame, in bytes. Default 245,760 (240 KB). */
  readonly maxSubscribeBytes: number;
  /** Largest frame of a client and largest body of a request, in bytes. Default 1,363,149 (1.3 MiB). */
  readonly maxFrameBytes: number;
  /** Live subscriptions of one connection. Default 200. */
  readonly subscriptionsPerConnection: number;
  /** Frames of one connection in a second; those above wait. Default 500. */
  readonly framesPerSecond: number;
  /**
   * Time in which large frames of a realm are read in a second, in ms; those above wait. JSON that
   * was made for it takes half a second for a megabyte. Default 250.
   */
  readonly readingMsPerSecond: number;
  /**
   * Frames of a realm in a second that are answered with an error. Beyond them, each connection that
   * has sent one waits before its next frame. Default 1,000.
   */
  readonly faultsPerSecond: number;
  /** Publish frames of one connection in a second. Default 25. */
  readonly publishesPerSecond: number;
  /** Open connections of a realm. Default 10,000. */
  readonly connectionsPerRealm: number;
  /** Live subscriptions of all connections of a realm. Default 100,000. */
  readonly subscriptionsPerRealm: number;
  /** Connections that open in a second. Default 2,000. */
  readonly connectsPerSecond: number;
  /** Events that the publishers of a realm send in a second. Default 10,000. */
  readonly eventsPerSecond: number;
  /** Messages to subscribers of a realm in a second; publishes above are refused. Default 1,000,000. */
  readonly messagesPerSecond: number;
  /** Longest life of a connection, in ms. Default 86,400,000 (24 hours). */
  readonly maxConnectionMs: number;
  /** Bytes that may wait for one connection before it is closed as too slow. Default 2,097,152. */
  readonly maxWaitingBytes: number;
  /** Members of one channel, by the extension `presence`. Default 1,000. */
  readonly membersPerChannel: number;
}

const defaults: Limits = {
  eventsPerPublish: 5,
  maxEventBytes: 245_760,
  maxPublishBytes: 1_228_800,
  maxSubscribeBytes: 245_760,
  maxFrameBytes: 1_363_149,
  subscriptionsPerConnection: 200,
  framesPerSecond: 500,
  readingMsPerSecond: 250,
  faultsPerSecond: 1_000,
  publishesPerSecond: 25,
  connectionsPerRealm: 10_000,
  subscriptionsPerRealm: 100_000,
  connectsPerSecond: 2_000,
  eventsPerSecond: 10_000,
  messagesPerSecond: 1_000_000,
  maxConnectionMs: 86_400_000,
  maxWaitingBytes: 2_097_152,
  membersPerChannel: 1_000,
};

/** Fills in the defaults; `Infinity` is no limit. @throws PlatformError `OPTION_INVALID` */
export function resolveLimits(options: Partial<Limits> = {}): Limits {
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  for (const [name, value] of given) {
    const fault = limitFault(name, value);
    if (fault !== undefined) throw new PlatformError('OPTION_INVALID', `limit '${name}' ${fault}`);
  }
  return { ...defaults, ...Object.fromEntries(given) };
}

/** Returns the fault of a limit, for people; undefined if it can be used. */
export function limitFault(name: string, value: unknown): string | undefined {
  if (!Object.hasOwn(defaults, name)) {
    return `is not one of ${Object.keys(defaults).join(', ')}`;
  }
  return typeof value === 'number' && value > 0 ? undefined : 'is not a number above 0';
}
