const seed = 0x9747b28c;
const multiplier = 0x5bd1e995;

/** Murmur2 as Kafka's Java client computes it for keys: a signed integer of 32 bits. */
export function murmur2(data: Uint8Array): number {
  const { length } = data;
  const whole = length - (length % 4);
  let hash = seed ^ length;
  for (let at = 0; at < whole; at += 4) {
    const block = Math.imul(littleEndian(data, at, 4), multiplier);
    hash = Math.imul(hash, multiplier) ^ Math.imul(block ^ (block >>> 24), multiplier);
  }
  if (whole < length) {
    hash = Math.imul(hash ^ littleEndian(data, whole, length - whole), multiplier);
  }
  hash = Math.imul(hash ^ (hash >>> 13), multiplier);
  return hash ^ (hash >>> 15);
}

function littleEndian(data: Uint8Array, at: number, bytes: number): number {
  let value = 0;
  for (let index = bytes - 1; index >= 0; index -= 1)
    value = (value << 8) | (data[at + index] ?? 0);
  return value;
}
