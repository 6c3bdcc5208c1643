/** Channel of a realm. */
export interface PresenceChannelName {
  readonly realm: string;
  /** Normalised path, without a wildcard. */
  readonly path: string;
}

/** Member of a channel. */
export interface PresentMember {
  readonly member: string;
  /** JSON value; null if it says nothing about itself. */
  readonly data: unknown;
}

/** Members of channels, on all nodes of a server. The default is in memory, for one node. */
export interface PresenceStore {
  /** Begins. `onChange` is called when members of a channel may have changed, on whichever node. */
  start(onChange: (channel: PresenceChannelName) => void): void;
  /** Adds a member of this node, or replaces its data. @throws PlatformError `DATABASE_*`, … */
  join(channel: PresenceChannelName, member: PresentMember): Promise<void>;
  /** Removes a member of this node. @throws PlatformError `DATABASE_*`, … */
  leave(channel: PresenceChannelName, member: string): Promise<void>;
  /** Lists members of all nodes, each once. @throws PlatformError `DATABASE_*`, … */
  list(channel: PresenceChannelName, limit: number): Promise<readonly PresentMember[]>;
}

/** Returns a key of the channel. */
export function channelKey({ realm, path }: PresenceChannelName): string {
  return `${realm}\n${path}`;
}
