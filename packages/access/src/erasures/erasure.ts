import { createHash } from 'node:crypto';
import type { Applications, ErasureSelection } from '@posthaste/contracts';

/** Kind of an erasure: an application with everything it has, or payloads. */
export type ErasureKind = 'application' | 'payloads';

/**
 * Description of what is erased, which outlives the work. Keys and values of identifiers may name a
 * person, so only a hash of them is kept (`digestOf`).
 */
export interface ErasureTarget {
  readonly endpointId?: string;
  readonly keyHash?: string;
  readonly pointer?: string;
  readonly valueHash?: string;
  readonly undelivered?: ErasureSelection['undelivered'];
}

/** An erasure with its progress, and the record that it was done. */
export interface Erasure {
  readonly id: string;
  readonly kind: ErasureKind;
  readonly applications: Applications;
  readonly target: ErasureTarget;
  readonly state: 'running' | 'done';
  /** Stage that runs; `done` after the last one. */
  readonly stage: string;
  /** Rows that were looked at. */
  readonly scanned: number;
  /** Callbacks, records and settings that were erased. */
  readonly erased: number;
  /** Callbacks that match and were left, because they are not delivered yet. */
  readonly kept: number;
  /** Reason of the last step that failed and is tried again; `null` when none did. */
  readonly error: string | null;
  /** Name of the caller that asked for it. */
  readonly requestedBy: string;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly endedAt: Date | null;
}

/**
 * Returns the hash that stands for a text in the record of an erasure: SHA-256 of the erasure's id, a
 * line feed and the text, in hexadecimal. Who knows the text can check that it was erased; the same
 * text has another hash in each erasure.
 */
export function digestOf(erasureId: string, text: string): string {
  return createHash('sha256').update(`${erasureId}\n${text}`).digest('hex');
}

/** Returns the description of a selection that outlives the work. */
export function toTarget(id: string, selection: ErasureSelection): ErasureTarget {
  const { endpointId, key, identifier, undelivered } = selection;
  return {
    ...(endpointId === undefined ? {} : { endpointId }),
    ...(key === undefined ? {} : { keyHash: digestOf(id, key) }),
    ...(identifier && {
      pointer: identifier.pointer,
      valueHash: digestOf(id, String(identifier.value)),
    }),
    undelivered,
  };
}
