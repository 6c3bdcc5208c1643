import {
  errorCodes,
  PlatformError,
  type ProblemDetails,
  parseJsonWithBigints,
  stringifyExactJson,
} from '@posthaste/contracts';
import {
  commandSettings,
  type Environment,
  gatewaySettings,
  readSettings,
} from '@posthaste/settings';

export interface ApiCall {
  /** Sent as JSON, bigints as bare numbers. Default: no body. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** Ends the call early; it then throws the signal's reason. */
  readonly signal?: AbortSignal;
}

export interface OpenCall extends Omit<ApiCall, 'body'> {
  /** The media type that the answer must have. */
  readonly accept: string;
}

/** A running gateway, as commands use it. */
export interface ApiClient {
  /** Without a slash at its end. */
  readonly url: string;
  /**
   * The body of the answer, parsed, integers beyond 2^53 as bigints; `undefined` when it has none.
   * @throws PlatformError with the code that the gateway answered, or `GATEWAY_UNREACHABLE`
   */
  call<T>(method: string, path: string, call?: ApiCall): Promise<T>;
  /**
   * An answer that comes bit by bit, for as long as it takes. What reading it throws is the
   * connection's.
   * @throws PlatformError as `call`
   */
  open(path: string, call: OpenCall): Promise<AsyncIterable<Uint8Array>>;
}

export interface ApiAddress {
  readonly url: string;
  /** Default: none, as a gateway on this machine may take it. */
  readonly apiKey?: string | undefined;
}

const timeoutMs = 30_000;

/** For the help texts of commands that use it. */
export const gatewayHelp: string = `Talks to the gateway at POSTHASTE_URL (http://127.0.0.1:8080), with POSTHASTE_API_KEY if
that is set.`;

/** A client for the gateway of these settings. @throws PlatformError `CONFIG_INVALID` */
export function apiClientOf(environment: Environment): ApiClient {
  return createApiClient(readApiAddress(environment));
}

/**
 * The gateway that POSTHASTE_URL names, else the one that POSTHASTE_PORT gives this machine.
 * @throws PlatformError `CONFIG_INVALID`
 */
export function readApiAddress(environment: Environment): ApiAddress {
  const settings = { ...commandSettings, port: gatewaySettings.port } as const;
  const { url, apiKey, port } = readSettings(environment, settings);
  return { url: url ?? `http://127.0.0.1:${port}`, apiKey };
}

export function createApiClient({ url, apiKey }: ApiAddress): ApiClient {
  const base = url.replace(/\/+$/, '');
  const access = apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` };
  return {
    url: base,
    async call<T>(method: string, path: string, { body, headers, signal }: ApiCall = {}) {
      const timeout = AbortSignal.timeout(timeoutMs);
      const answer = await reach(base, signal, async () => {
        const response = await fetch(base + path, {
          method,
          signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
          headers: {
            ...access,
            ...(body === undefined ? {} : { 'content-type': 'application/json' }),
            ...headers,
          },
          ...(body === undefined ? {} : { body: stringifyExactJson(body) }),
        });
        return toAnswer(response);
      });
      if (!answer.ok) throw toError(base, answer);
      if (answer.status === 204) return undefined as T;
      const value = parseJson(answer.text);
      if (value === undefined) throw notPosthaste(base, answer);
      return value as T;
    },
    async open(path, { accept, headers, signal }) {
      const response = await reach(base, signal, () =>
        fetch(base + path, {
          signal: signal ?? null,
          headers: { ...access, ...headers, accept },
        }),
      );
      const type = response.headers.get('content-type') ?? '';
      if (response.ok && response.body && type.startsWith(accept)) return response.body;
      throw toError(base, await reach(base, signal, () => toAnswer(response)));
    },
  };
}

interface Answer {
  readonly ok: boolean;
  readonly status: number;
  readonly text: string;
}

async function toAnswer(response: Response): Promise<Answer> {
  const { ok, status } = response;
  return { ok, status, text: await response.text() };
}

async function reach<T>(
  url: string,
  signal: AbortSignal | undefined,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    signal?.throwIfAborted();
    const { origin } = new URL(url);
    const message = `${origin} does not answer. Is Posthaste running? POSTHASTE_URL names another one.`;
    throw new PlatformError('GATEWAY_UNREACHABLE', message, { cause });
  }
}

/** What RFC 9457 says of the failure, as far as it is one of ours. */
function toError(base: string, answer: Answer): PlatformError {
  const problem = parseJson(answer.text) as Partial<ProblemDetails> | null | undefined;
  const code = problem?.code;
  if (code === undefined || !(code in errorCodes)) return notPosthaste(base, answer);
  if (code === 'KEY_MISSING') {
    return new PlatformError(code, `${base} asks for an API key: set POSTHASTE_API_KEY to one`);
  }
  const request = code === 'INTERNAL' ? `, request ${problem?.instance}` : '';
  return new PlatformError(code, `${problem?.detail}${request}`);
}

function notPosthaste(base: string, { status }: Answer): PlatformError {
  const message = `${base} answered ${status}, and not as Posthaste does. POSTHASTE_URL names another one.`;
  return new PlatformError('GATEWAY_UNREACHABLE', message);
}

/** @returns `undefined` when it is not JSON */
function parseJson(text: string): unknown {
  try {
    return parseJsonWithBigints(text);
  } catch {
    return undefined;
  }
}
