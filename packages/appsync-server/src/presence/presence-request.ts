import { isJsonObject } from '@posthaste/contracts';
import { RealtimeError } from '../protocol/realtime-error.js';
import type { PresentMember } from './presence-store.js';

/** Longest name of a member, in characters. */
const maxNameLength = 128;
/** Largest data of a member, in bytes of JSON. */
const maxDataBytes = 1_024;

/** Wish of a subscriber to see who is on the channel. */
export interface PresenceRequest {
  /** The subscriber itself, if it wants to be seen. */
  readonly member: PresentMember | undefined;
}

/**
 * Parses the field `presence` of a subscribe frame. Returns undefined if there is none.
 * @param defaultName name of a member that gives none
 * @throws RealtimeError `BadRequestException`
 */
export function parsePresence(presence: unknown, defaultName: string): PresenceRequest | undefined {
  if (presence === undefined || presence === null) return undefined;
  if (!isJsonObject(presence)) throw badRequest('presence is no object');
  const { member = undefined, data = undefined } = presence;
  if (member === undefined && data === undefined) return { member: undefined };
  const name = member ?? defaultName;
  if (typeof name !== 'string' || !isName(name)) {
    throw badRequest(
      `The member of presence is no text of 1 to ${maxNameLength} characters without control characters.`,
    );
  }
  if (Buffer.byteLength(JSON.stringify(data ?? null)) > maxDataBytes) {
    throw badRequest(`The data of presence has more than ${maxDataBytes} bytes.`);
  }
  return { member: { member: name, data: data ?? null } };
}

/** True for what databases and clients can keep as it is. */
function isName(name: string): boolean {
  return (
    name !== '' && name.length <= maxNameLength && name.isWellFormed() && !/\p{Cc}/u.test(name)
  );
}

function badRequest(message: string): RealtimeError {
  return new RealtimeError('BadRequestException', 400, message);
}
