import type { AuthorizerEvent } from './webhook-authorizer.js';

/** One request, as `WebhookHttp` sends it. */
export interface WebhookHttpRequest {
  readonly url: string;
  readonly method: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: Uint8Array;
  readonly timeoutMs: number;
  readonly maxResponseBytes: number;
}

/** Result of one request. */
export type WebhookHttpOutcome =
  | {
      readonly kind: 'response';
      readonly statusCode: number;
      readonly body: Uint8Array;
      readonly truncated: boolean;
      readonly cut: boolean;
    }
  | { readonly kind: 'failure'; readonly detail: string };

/** HTTP client for requests to authorizers. The egress client of Posthaste fits. */
export interface WebhookHttp {
  /** Never rejects. */
  send(request: WebhookHttpRequest): Promise<WebhookHttpOutcome>;
}

/** Options of {@link createWebhookCall}. */
export interface WebhookCallOptions {
  readonly url: string;
  readonly http: WebhookHttp;
  /** Further headers, such as a secret by which the authorizer knows this server. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Longest time of one request, in ms. Default 10,000. */
  readonly timeoutMs?: number | undefined;
}

/** Largest answer of an authorizer, in bytes. As AWS allows 5 MB, which nobody needs. */
const maxResponseBytes = 256 * 1_024;

/**
 * Returns a function for `createWebhookAuthorizer` that sends questions to a URL by `POST`. It
 * rejects for every status but 200 and every body that is not JSON.
 */
export function createWebhookCall(
  options: WebhookCallOptions,
): (event: AuthorizerEvent) => Promise<unknown> {
  const { url, http, timeoutMs = 10_000 } = options;
  const headers = Object.entries({
    ...options.headers,
    'content-type': 'application/json',
    accept: 'application/json',
  });
  return async (event) => {
    const body = Buffer.from(JSON.stringify(event));
    const request = { url, method: 'POST', headers, body, timeoutMs, maxResponseBytes };
    const outcome = await http.send(request);
    if (outcome.kind === 'failure') throw new Error(`the authorizer failed: ${outcome.detail}`);
    if (outcome.statusCode !== 200 || outcome.truncated || outcome.cut) {
      const fault = outcome.statusCode === 200 ? 'an incomplete body' : outcome.statusCode;
      throw new Error(`the authorizer answered with ${fault}`);
    }
    return JSON.parse(Buffer.from(outcome.body).toString('utf8'));
  };
}
