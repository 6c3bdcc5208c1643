import {
  errorCodes,
  PlatformError,
  type ProblemDetails,
  parseJsonWithDigits,
  stringifyExactJson,
} from '@posthaste/contracts';
import {
  commandSettings,
  type Environment,
  gatewaySettings,
  readSettings,
} from '@posthaste/settings';

/** Options of a call. */
export interface ApiCall {
  /** Body, sent as JSON with bigints as bare numbers. Default: none. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** Aborts the call, which then throws the signal's reason. */
  readonly signal?: AbortSignal;
}

/** Options of a call whose answer is read as a stream. */
export interface OpenCall extends Omit<ApiCall, 'body'> {
  /** Media type that the answer must have. */
  readonly accept: string;
}

/** Client of a running gateway. */
export interface ApiClient {
  /** URL of the gateway, without a slash at its end. */
  readonly url: string;
  /**
   * Sends a request and returns the parsed body of the answer, with integers beyond 2^53 as bigints;
   * `undefined` when the answer has no body. Waits 30 seconds at most.
   * @throws PlatformError with the code that the gateway answered, or `GATEWAY_UNREACHABLE`
   */
  call<T>(method: string, path: string, call?: ApiCall): Promise<T>;
  /**
   * Opens an answer that is read as a stream, without a time limit. Reading it throws the errors of
   * the connection as they are.
   * @throws PlatformError as `call`
   */
  open(path: string, call: OpenCall): Promise<AsyncIterable<Uint8Array>>;
}

/** Address of a gateway. */
export interface ApiAddress {
  readonly url: string;
  /** API key. Default: none, which a gateway on a loopback address may accept. */
  readonly apiKey?: string | undefined;
}

const timeoutMs = 30_000;

/** Paragraph about the gateway for help texts of commands that call it. */
export const gatewayHelp: string = `These commands call the gateway at POSTHASTE_URL (default http://127.0.0.1:8080). They send
POSTHASTE_API_KEY as the API key if it is set.`;

/** Creates a client of the gateway that the settings name. @throws PlatformError `CONFIG_INVALID` */
export function apiClientFrom(environment: Environment): ApiClient {
  return createApiClient(readApiAddress(environment));
}

/**
 * Reads the address of the gateway: POSTHASTE_URL, else 127.0.0.1 with POSTHASTE_PORT.
 * @throws PlatformError `CONFIG_INVALID`
 */
export function readApiAddress(environment: Environment): ApiAddress {
  const settings = { ...commandSettings, port: gatewaySettings.port } as const;
  const { url, apiKey, port } = readSettings(environment, settings);
  return { url: url ?? `http://127.0.0.1:${port}`, apiKey };
}

/** Creates a client of the gateway at an address. */
export function createApiClient({ url, apiKey }: ApiAddress): ApiClient {
  const base = url.replace(/\/+$/, '');
  const access = apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` };
  return {
    url: base,
    async call<T>(method: string, path: string, { body, headers, signal }: ApiCall = {}) {
      const timeout = AbortSignal.timeout(timeoutMs);
      const answer = await withReachabilityError(base, signal, async () => {
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
        return readText(response);
      });
      if (!answer.ok) throw toError(base, answer);
      if (answer.status === 204) return undefined as T;
      const value = parseJson(answer.text);
      if (value === undefined) throw notPosthaste(base, answer);
      return value as T;
    },
    async open(path, { accept, headers, signal }) {
      const response = await withReachabilityError(base, signal, () =>
        fetch(base + path, {
          signal: signal ?? null,
          headers: { ...access, ...headers, accept },
        }),
      );
      const type = response.headers.get('content-type') ?? '';
      if (response.ok && response.body && type.startsWith(accept)) return response.body;
      throw toError(base, await withReachabilityError(base, signal, () => readText(response)));
    },
  };
}

/** Answer whose whole body has been read. */
export interface AnswerText {
  readonly ok: boolean;
  readonly status: number;
  readonly text: string;
}

async function readText(response: Response): Promise<AnswerText> {
  const { ok, status } = response;
  return { ok, status, text: await response.text() };
}

/** Runs `work`; its errors become `GATEWAY_UNREACHABLE`, unless the signal was aborted. */
async function withReachabilityError<T>(
  url: string,
  signal: AbortSignal | undefined,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    signal?.throwIfAborted();
    throw toUnreachable(url, cause);
  }
}

/** Returns the error for a gateway that does not answer. */
export function toUnreachable(url: string, cause: unknown): PlatformError {
  const { origin } = new URL(url);
  const message = `${origin} does not answer. Is Posthaste running? If it runs elsewhere, set POSTHASTE_URL.`;
  return new PlatformError('GATEWAY_UNREACHABLE', message, { cause });
}

/** Converts an answer with problem details (RFC 9457) to an error with the code of the gateway. */
export function toError(base: string, answer: AnswerText): PlatformError {
  const problem = parseJson(answer.text) as Partial<ProblemDetails> | null | undefined;
  const code = problem?.code;
  if (code === undefined || !(code in errorCodes)) return notPosthaste(base, answer);
  if (code === 'KEY_MISSING') {
    return new PlatformError(code, `${base} requires an API key: set POSTHASTE_API_KEY`);
  }
  const request = code === 'INTERNAL' ? `, request ${problem?.instance}` : '';
  return new PlatformError(code, `${problem?.detail}${request}`);
}

function notPosthaste(base: string, { status }: AnswerText): PlatformError {
  const message = `${base} answered ${status}, but not like Posthaste. Set POSTHASTE_URL to the address of a gateway.`;
  return new PlatformError('GATEWAY_UNREACHABLE', message);
}

/** Parses JSON; returns `undefined` when the text is not JSON. */
function parseJson(text: string): unknown {
  try {
    return parseJsonWithDigits(text);
  } catch {
    return undefined;
  }
}
