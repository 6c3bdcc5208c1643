import type { OutgoingHttpHeaders } from 'node:http';
import { seededRandom } from '../seeded-random.js';
import type { ReceivedRequest } from './request-log.js';

/** End of a connection: a normal close (FIN), or a TCP reset. */
export type Ending = 'fin' | 'reset';

/** Action that sends a response. */
export interface Respond {
  readonly kind: 'respond';
  /** Default 200. */
  readonly status?: number;
  readonly headers?: OutgoingHttpHeaders;
  readonly body?: string | Uint8Array;
  /** Ends the connection after the response, without announcing it. */
  readonly closeAfter?: Ending;
}

/** Action of the receiver for one request, after it has read the request. */
export type Action =
  | Respond
  /** Never responds; `after: 'head'` sends the head and never the body. */
  | { readonly kind: 'hang'; readonly after?: 'head' }
  /** Ends the connection without a response. */
  | { readonly kind: 'close' }
  | { readonly kind: 'reset' }
  /** Responds with a `Location`. Default status 302. */
  | { readonly kind: 'redirect'; readonly location: string; readonly status?: number }
  /** Sends the head at once, then the body byte by byte. */
  | { readonly kind: 'trickle'; readonly body: string; readonly everyMs: number }
  /** Sends the head byte by byte. */
  | { readonly kind: 'slow-head'; readonly everyMs: number }
  /** Sends a body of `bytes` bytes (Infinity is endless), chunked unless its length is announced. */
  | { readonly kind: 'huge-body'; readonly bytes: number; readonly announced?: boolean }
  /** Sends a few kilobytes that unpack to `bytes` bytes, with `Content-Encoding: gzip`. */
  | { readonly kind: 'gzip-bomb'; readonly bytes: number }
  /** Sends a chunked body that ends in the middle of a chunk. */
  | { readonly kind: 'cut-body'; readonly status?: number; readonly ending?: Ending }
  /** Sends a `Content-Length` that does not match the body, or is not a number. */
  | { readonly kind: 'wrong-length'; readonly announced: string; readonly body: string }
  /** Sends headers of one kilobyte each, `bytes` bytes together. */
  | { readonly kind: 'huge-headers'; readonly bytes: number }
  /** Sends informational responses (1xx) before the final one. */
  | {
      readonly kind: 'informational';
      readonly status: number;
      /** Default 1. */
      readonly times?: number;
      readonly final?: Respond;
    }
  /** Sends bytes unchanged, HTTP or not; then ends the connection, unless it is left open. */
  | {
      readonly kind: 'raw';
      readonly data: string | Uint8Array;
      readonly ending?: Ending | 'open';
    };

/** An action, optionally after a delay. A number stands for an empty response with that status. */
export type Step = number | (Action & { readonly delayMs?: number });

/**
 * One step for every request; or a list, whose n-th step is for the n-th request and whose last step is
 * for all later ones; or a function of the request and its number on its path, counted from 0.
 */
export type Behaviour =
  | Step
  | readonly Step[]
  | ((request: ReceivedRequest, index: number) => Step | Promise<Step>);

/** One behaviour for all requests, or one for each path (without its query). */
export type ReceiverScript =
  | Behaviour
  | {
      readonly paths: Readonly<Record<string, Behaviour>>;
      /** Behaviour for all other paths. Default: 404. */
      readonly otherwise?: Behaviour;
    };

/** Returns `times` failures and then 200. Default failure: 503. */
export function failThenRecover(times: number, failure: Step = 503): readonly Step[] {
  return [...Array.from({ length: times }, () => failure), 200];
}

/** A step with its probability. */
export interface WeightedStep {
  /** Weight relative to the other steps. */
  readonly weight: number;
  readonly step: Step;
}

/** Returns a function that picks a random step for each request, the same for the same seed. */
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

/** Creates a function that returns the step of a script for each request. */
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
