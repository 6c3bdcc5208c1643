import type { LookupAddress } from 'node:dns';
import { connect, type Socket } from 'node:net';

/**
 * Time after which the next address is tried while those before it are still being connected to,
 * in ms: the Connection Attempt Delay of RFC 8305, section 8.
 */
const attemptDelayMs = 250;
/** Most addresses of a name that are tried, all of which may be under way at the same time. */
const maxAddresses = 64;

/** Callbacks of a race. One of them is called, once and later; none if the race is destroyed first. */
interface RaceEvents {
  onOpen(socket: Socket): void;
  onError(error: Error): void;
}

/** Something that is being opened and can be given up. */
export interface Dialing {
  destroy(): void;
}

/**
 * Sorts the addresses of a name so that the two families alternate, beginning with the family of
 * the first address: RFC 8305, section 4. Within a family the order stays.
 */
export function alternateFamilies(addresses: readonly LookupAddress[]): string[] {
  const first = addresses.filter(({ family }) => family === addresses[0]?.family);
  const other = addresses.filter(({ family }) => family !== addresses[0]?.family);
  const rounds = Array.from({ length: Math.max(first.length, other.length) }, (_, index) => index);
  return rounds
    .flatMap((index) => [first[index], other[index]])
    .flatMap((entry) => entry?.address ?? []);
}

/**
 * Connects to the addresses of one host as RFC 8305 ("Happy Eyeballs") says: one after another,
 * each `attemptDelayMs` after the one before it, or at once when that one fails. Those that are
 * under way go on. The first socket that opens wins, and the others are closed. The race fails when
 * every address has failed, with the error of the first that did. It has no time limit of its own.
 *
 * Not Node's `autoSelectFamily`: that gives each address but the last a fixed time and then gives
 * it up for good, so a name fails whose only working address is slow to accept.
 */
export function raceAddresses(
  addresses: readonly string[],
  port: number,
  { onOpen, onError }: RaceEvents,
): Dialing {
  const waiting = addresses.slice(0, maxAddresses);
  const underWay = new Set<Socket>();
  let timer: NodeJS.Timeout | undefined;
  let firstError: Error | undefined;

  const stop = (): void => {
    clearTimeout(timer);
    waiting.length = 0;
    for (const socket of underWay) socket.destroy();
    underWay.clear();
  };

  const connectNext = (): void => {
    clearTimeout(timer);
    const host = waiting.shift();
    if (host === undefined) return;
    const socket = connect({ host, port });
    underWay.add(socket);
    socket.setNoDelay(true);
    const onFailed = (error: Error): void => {
      if (!underWay.delete(socket)) return;
      firstError ??= error;
      if (waiting.length > 0) connectNext();
      else if (underWay.size === 0) onError(firstError);
    };
    socket.once('error', onFailed);
    socket.once('connect', () => {
      // Destroyed by `stop` after the connect, and before this event.
      if (!underWay.delete(socket)) return;
      socket.off('error', onFailed);
      stop();
      onOpen(socket);
    });
    if (waiting.length > 0) timer = setTimeout(connectNext, attemptDelayMs);
  };

  connectNext();
  return { destroy: stop };
}
