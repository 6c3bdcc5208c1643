import {
  channelKey,
  type PresenceChannelName,
  type PresenceStore,
  type PresentMember,
} from './presence-store.js';

/** Members of the channels of one node. */
export class MemoryPresence implements PresenceStore {
  readonly #channels = new Map<string, Map<string, PresentMember>>();
  #onChange: (channel: PresenceChannelName) => void = () => undefined;

  start(onChange: (channel: PresenceChannelName) => void): void {
    this.#onChange = onChange;
  }

  async join(channel: PresenceChannelName, member: PresentMember): Promise<void> {
    const key = channelKey(channel);
    const members = this.#channels.get(key) ?? new Map<string, PresentMember>();
    this.#channels.set(key, members);
    members.set(member.member, member);
    this.#onChange(channel);
  }

  async leave(channel: PresenceChannelName, member: string): Promise<void> {
    const key = channelKey(channel);
    const members = this.#channels.get(key);
    members?.delete(member);
    if (members?.size === 0) this.#channels.delete(key);
    this.#onChange(channel);
  }

  async list(channel: PresenceChannelName, limit: number): Promise<readonly PresentMember[]> {
    return [...(this.#channels.get(channelKey(channel))?.values() ?? [])].slice(0, limit);
  }
}
