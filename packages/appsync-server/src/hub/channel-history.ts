import type { ChannelPath } from '@posthaste/contracts';
import type { ChannelBatch, DeliveredBatch, MissedRequest } from './broker.js';

/** Bounds of a history. */
export interface HistoryBounds {
  /** Bytes of all batches in memory. Default 16,777,216 (16 MiB). */
  readonly maxBytes?: number | undefined;
  /** Channels, and wildcards above them, of which anything is known. Default 50,000. */
  readonly maxChannels?: number | undefined;
}

/** Events of a channel, or of all channels below one. */
interface ChannelEvents {
  /** Batches in memory, oldest first, from the index `start` on. */
  readonly batches: (DeliveredBatch | undefined)[];
  start: number;
  /** Position of the newest event, also if it is no longer in memory. */
  last: bigint;
  /** No event above this position is missing in memory. */
  floor: bigint;
}

/** Memory that a batch takes besides its text, in bytes: estimated. */
const bytesPerBatch = 300;
const bytesPerEvent = 80;

/**
 * Newest events of all channels, in bounded memory. It knows of each question if it can answer it:
 * what it has dropped is never taken for nothing.
 */
export class ChannelHistory {
  readonly #maxBytes: number;
  readonly #maxChannels: number;
  /** By realm and path, of wildcards too. Those with the oldest newest event come first. */
  readonly #channels = new Map<string, ChannelEvents>();
  /** All batches in memory, oldest first, from the index `#first` on. */
  readonly #batches: (DeliveredBatch | undefined)[] = [];
  #first = 0;
  #bytes = 0;
  /** A channel that is not in the map has had no event from this position on. */
  #knownFrom: bigint;

  /** @param from position of the first event that will be added, or a lower one */
  constructor(from: bigint, { maxBytes = 16_777_216, maxChannels = 50_000 }: HistoryBounds = {}) {
    this.#knownFrom = from;
    this.#maxBytes = maxBytes;
    this.#maxChannels = maxChannels;
  }

  /** Adds a batch that has a position above all others. */
  add(batch: DeliveredBatch): void {
    const last = lastPosition(batch);
    for (const key of keysOf(batch)) {
      const known = this.#channels.get(key);
      // Moves to the end of the map.
      if (known !== undefined) this.#channels.delete(key);
      const channel = known ?? { batches: [], start: 0, last, floor: this.#knownFrom - 1n };
      channel.batches.push(batch);
      channel.last = last;
      this.#channels.set(key, channel);
    }
    this.#batches.push(batch);
    this.#bytes += bytesOf(batch);
    while (this.#bytes > this.#maxBytes) this.#dropBatch();
    while (this.#channels.size > this.#maxChannels) this.#dropChannel();
  }

  /**
   * Notes where the newest event of a channel is that was not added. Call it before any `add`, with
   * growing positions: of all channels that had an event from the beginning of the history on.
   */
  note(channel: Pick<ChannelBatch, 'realm' | 'channel'>, last: bigint): void {
    for (const key of keysOf(channel)) {
      // Moves to the end of the map.
      this.#channels.delete(key);
      this.#channels.set(key, { batches: [], start: 0, last, floor: last });
    }
    while (this.#channels.size > this.#maxChannels) this.#dropChannel();
  }

  /** Returns the position of the newest event that a question can be about, if it is known. */
  lastOf({ realm, channel: { path } }: MissedRequest): bigint | undefined {
    return this.#channels.get(`${realm}\n${path}`)?.last;
  }

  /** True if it has all events that the question is about, which may be none. */
  covers({ realm, channel: { path }, after }: MissedRequest): boolean {
    const channel = this.#channels.get(`${realm}\n${path}`);
    if (channel === undefined) return after + 1n >= this.#knownFrom;
    return channel.last <= after || channel.floor <= after;
  }

  /** Finds the events of a question that it covers, oldest first, `maxEvents` or a batch more. */
  find(request: MissedRequest): DeliveredBatch[] {
    const channel = this.#channels.get(`${request.realm}\n${request.channel.path}`);
    if (channel === undefined || channel.last <= request.after) return [];
    const { batches, start } = channel;
    let index = batches.length;
    while (index > start && lastPosition(batches[index - 1]) > request.after) index -= 1;
    const found: DeliveredBatch[] = [];
    let events = 0;
    for (; index < batches.length && events <= request.maxEvents; index += 1) {
      const cut = cutBatch(batches[index], request);
      if (cut === undefined) continue;
      found.push(cut);
      events += cut.events.length;
    }
    return found;
  }

  #dropBatch(): void {
    const batch = this.#batches[this.#first];
    if (batch === undefined) return;
    this.#bytes -= bytesOf(batch);
    this.#first = dropFirst(this.#batches, this.#first);
    for (const key of keysOf(batch)) {
      const channel = this.#channels.get(key);
      // The channel may have been dropped and come again.
      if (channel === undefined || channel.batches[channel.start] !== batch) continue;
      channel.start = dropFirst(channel.batches, channel.start);
      channel.floor = lastPosition(batch);
    }
  }

  #dropChannel(): void {
    for (const [key, { last }] of this.#channels) {
      this.#channels.delete(key);
      if (last >= this.#knownFrom) this.#knownFrom = last + 1n;
      return;
    }
  }
}

/**
 * Returns the events of a batch that a question is about; undefined if there is none. Their
 * positions stay.
 */
export function cutBatch(
  batch: DeliveredBatch | undefined,
  { after, before }: Pick<MissedRequest, 'after' | 'before'>,
): DeliveredBatch | undefined {
  if (batch?.position === undefined) return undefined;
  const { position, events } = batch;
  const from = after < position ? 0 : Number(after - position) + 1;
  const to = before > lastPosition(batch) ? events.length : Number(before - position);
  if (from >= to) return undefined;
  if (from === 0 && to === events.length) return batch;
  return { ...batch, events: events.slice(from, to), position: position + BigInt(from) };
}

function lastPosition(batch: DeliveredBatch | undefined): bigint {
  return (batch?.position ?? 0n) + BigInt((batch?.events.length ?? 1) - 1);
}

function bytesOf({ events }: ChannelBatch): number {
  return events.reduce((sum, { event }) => sum + event.length + bytesPerEvent, bytesPerBatch);
}

/** Returns the keys of the channel and of all wildcards above it. */
function keysOf({ realm, channel }: { realm: string; channel: ChannelPath }): string[] {
  const keys = [`${realm}\n${channel.path}`];
  let above = `${realm}\n`;
  for (const segment of channel.segments.slice(0, -1)) {
    above += `/${segment}`;
    keys.push(`${above}/*`);
  }
  return keys;
}

/** Drops the first of a list that begins at `start`. Returns where the list begins then. */
function dropFirst(list: (DeliveredBatch | undefined)[], start: number): number {
  const next = start + 1;
  if (next < 64 || next * 2 < list.length) {
    // Not kept alive by the place before the beginning.
    list[start] = undefined;
    return next;
  }
  list.splice(0, next);
  return 0;
}
