import { SharedFrame, toBytes } from '../protocol/text-frame.js';
import type { PresentMember } from './presence-store.js';

const prefix = '{"type":"presence","id":"';

/** Writes the frame with all members of a channel. */
export function membersFrame(members: readonly PresentMember[]): SharedFrame {
  return frameOf({ event: 'members', members: members.map(toEntry) });
}

/** Writes the frame of a member that has come, or has new data. */
export function joinFrame(member: PresentMember): SharedFrame {
  return frameOf({ event: 'join', ...toEntry(member) });
}

/** Writes the frame of a member that has gone. */
export function leaveFrame(member: string): SharedFrame {
  return frameOf({ event: 'leave', member });
}

function toEntry({ member, data }: PresentMember): object {
  return data === null ? { member } : { member, data };
}

function frameOf(fields: object): SharedFrame {
  return new SharedFrame(prefix, toBytes(`",${JSON.stringify(fields).slice(1)}`));
}
