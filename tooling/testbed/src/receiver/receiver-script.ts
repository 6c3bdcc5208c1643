import type { OutgoingHttpHeaders } from 'node:http';
import { seededRandom } from '../seeded-random.js';
import type { ReceivedRequest } from './request-log.js';

/** How a connection ends: in an orderly way, or with a TCP reset. */
export type Ending = 'fin' | 'reset';

export interface Respond {
  readonly kind: 'respond';
  /** Default 200. */
  readonly status?: number;
  readonly headers?: OutgoingHttpHeaders;
  readonly body?: string | Uint8Array;
  /** Ends the connection after the answer without having announced it. */
  readonly closeAfter?: Ending;
}

/** What the receiver does about one request, once it has read it. */
export type Action =
  | Respond
  /** Never answers; `after: 'head'` sends the head and never the body. */
  | { readonly kind: 'hang'; readonly after?: 'head' }
  /** Ends the connection without an answer. */
  | { readonly kind: 'close' }
  | { readonly kind: 'reset' }
  /** Status 302 unless told; answers with a `Location`. */
  | { readonly kind: 'redirect'; readonly location: string; readonly status?: number }
  /** The head at once, then the body a byte at a time. */
  | { readonly kind: 'trickle'; readonly body: string; readonly everyMs: number }
  /** The head a byte at a time. */
  | { readonly kind: 'slow-head'; readonly everyMs: number }
  /** A body of so many bytes (Infinity: without end), chunked unless its length is announced. */
  | { readonly kind: 'huge-body'; readonly bytes: number; readonly announced?: boolean }
  /** A few kilobytes that unpack to so many bytes, `Content-Encoding: gzip`. */
  | { readonly kind: 'gzip-bomb'; readonly bytes: number }
  /** A chunked answer that ends in the middle of a chunk. */
  | { readonly kind: 'cut-body'; readonly status?: number; readonly ending?: Ending }
  /** A `Content-Length` that is not the body's, a number or not. */
  | { readonly kind: 'wrong-length'; readonly announced: string; readonly body: string }
  /** An answer with one kilobyte for each header, so many bytes together. */
  | { readonly kind: 'huge-headers'; readonly bytes: number }
  /** Interim answers (1xx) before the real one. */
  | {
      readonly kind: 'informational';
      readonly status: number;
      /** Default 1. */
      readonly times?: number;
      readonly final?: Respond;
    }
  /** Bytes as they are, HTTP or not; then the end, unless the connection is left open. */
  | {
      readonly kind: 'raw';
      readonly data: string | Uint8Array;
      readonly ending?: Ending | 'open';
    };

/** An action, after a wait if wanted. A number is short for an empty answer with that status. */
export type Step = number | (Action & { readonly delayMs?: number });

/**
 * One step for every request, or a list (the n-th request gets the n-th step, all later ones the
 * last), or a function of the request and its number on its path, from 0.
 */
export type Behaviour =
  | Step
  | readonly Step[]
  | ((request: ReceivedRequest, index: number) => Step | Promise<Step>);

/** One behaviour for all, or one for each path (without its query). */
export type ReceiverScript =
  | Behaviour
  | {
      readonly paths: Readonly<Record<string, Behaviour>>;
      /** For all other paths. Default: 404. */
      readonly otherwise?: Behaviour;
    };

/** `times` failures, then answers with 200. Default failure: 503. */
export function failThenRecover(times: number, failure: Step = 503): readonly Step[] {
  return [...Array.from({ length: times }, () => failure), 200];
}

export interface WeightedStep {
  /** Relative to the other weights. */
  readonly weight: number;
  readonly step: Step;
}

/** Picks a step for each request at random, the same ones for the same seed. */
export function randomMix(seed: number, choices: readonly WeightedStep[]): () => Step {
  const random = seededRandom(seed);
  const total = choices.reduce((sum, { weight }) => sum + weight, 0);
  return () => {
    let left = random() * total;
    for (const { weight, step } of choices) {
      left -= weight;
      if (left < 0) return step;
    }
    return choices.at(-1)?.step ?? 200;
  };
}

/** Follows a script: gives the step for each request as it comes. */
export function createScriptRunner(
  script: ReceiverScript,
): (request: ReceivedRequest) => Promise<Step> {
  const counts = new Map<string, number>();
  return async (request) => {
    const path = request.path.split('?', 1)[0] ?? '';
    const byPath = typeof script === 'object' && 'paths' in script;
    const key = byPath ? path : '';
    const index = counts.get(key) ?? 0;
    counts.set(key, index + 1);
    const behaviour = byPath ? (script.paths[path] ?? script.otherwise ?? 404) : script;
    return stepFor(behaviour, request, index);
  };
}

async function stepFor(
  behaviour: Behaviour,
  request: ReceivedRequest,
  index: number,
): Promise<Step> {
  if (typeof behaviour === 'function') return behaviour(request, index);
  if (!isList(behaviour)) return behaviour;
  return behaviour[index] ?? behaviour.at(-1) ?? 200;
}

function isList(behaviour: Step | readonly Step[]): behaviour is readonly Step[] {
  return Array.isArray(behaviour);
}
