import { PlatformError } from '@posthaste/contracts';

/** Longest time of one request to the provider, in ms. */
const timeoutMs = 5_000;
/** Largest answer of the provider, in bytes. Real ones, with many keys or groups, have some KB. */
const maxResponseBytes = 512 * 1_024;

/** One request, as `ProviderHttp` sends it. */
export interface ProviderRequest {
  readonly url: string;
  readonly method: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: Uint8Array | null;
  readonly timeoutMs: number;
  readonly maxResponseBytes: number;
}

/** Result of one request. */
export type ProviderOutcome =
  | {
      readonly kind: 'response';
      readonly statusCode: number;
      readonly headers: readonly (readonly [name: string, value: string])[];
      readonly body: Uint8Array;
      readonly truncated: boolean;
      readonly cut: boolean;
    }
  | { readonly kind: 'failure'; readonly detail: string };

/**
 * HTTP client for requests to the identity provider. The egress client fits: it bounds each request
 * and connects to allowed addresses only.
 */
export interface ProviderHttp {
  send(request: ProviderRequest): Promise<ProviderOutcome>;
}

/** Options of `fetch` that the libraries for OpenID Connect and JSON Web Keys use. */
export interface FetchOptions {
  readonly method?: string | undefined;
  readonly headers?: Headers | Readonly<Record<string, string>> | undefined;
  readonly body?: unknown;
}

/** The part of `fetch` that the libraries for OpenID Connect and JSON Web Keys use. */
export type ProviderFetch = (url: string, options?: FetchOptions) => Promise<Response>;

/**
 * Returns a `fetch` that sends by `http`, within limits of time and size. Redirects are not followed.
 * It throws `IDENTITY_PROVIDER_UNAVAILABLE`.
 */
export function createProviderFetch(http: ProviderHttp): ProviderFetch {
  return async (url, { method = 'GET', headers, body } = {}) => {
    const outcome = await http.send({
      url,
      method,
      headers: [...new Headers(headers as ConstructorParameters<typeof Headers>[0])],
      // The libraries send forms and nothing else.
      body: body === undefined || body === null ? null : Buffer.from(String(body)),
      timeoutMs,
      maxResponseBytes,
    });
    if (outcome.kind === 'failure') throw providerUnavailable(outcome.detail);
    if (outcome.truncated)
      throw providerUnavailable(`its answer has over ${maxResponseBytes} bytes`);
    if (outcome.cut) throw providerUnavailable('its answer ended early');
    return toResponse(outcome);
  };
}

/** Returns the error for a provider that does not answer as it should. */
export function providerUnavailable(reason: string, cause?: unknown): PlatformError {
  return new PlatformError(
    'IDENTITY_PROVIDER_UNAVAILABLE',
    `the identity provider cannot be used: ${reason}`,
    { cause },
  );
}

function toResponse(outcome: Extract<ProviderOutcome, { kind: 'response' }>): Response {
  const { statusCode: status, body } = outcome;
  if (status < 200 || status > 599) throw providerUnavailable(`it answered ${status}`);
  const headers = new Headers();
  for (const [name, value] of outcome.headers) headers.append(name, value);
  const hasNoBody = status === 204 || status === 205 || status === 304;
  return new Response(hasNoBody ? null : Buffer.from(body), { status, headers });
}
