import { type ErrorCode, errorCodes, PlatformError } from '@posthaste/contracts';
import { commandSettings, type Environment, readSettings } from '@posthaste/settings';

/** A running gateway, as commands use it. */
export interface ApiClient {
  readonly url: string;
  /**
   * The body of the answer, parsed; `undefined` when it has none.
   * @throws PlatformError with the code that the gateway answered, or `GATEWAY_UNREACHABLE`
   */
  call<T>(method: string, path: string, body?: unknown): Promise<T>;
}

const timeoutMs = 30_000;

/** @throws PlatformError `CONFIG_INVALID` */
export function createApiClient(environment: Environment): ApiClient {
  const { url, apiKey } = readSettings(environment, commandSettings);
  const base = url.replace(/\/+$/, '');
  return {
    url: base,
    async call<T>(method: string, path: string, body?: unknown) {
      const response = await fetchAnswer(base + path, {
        method,
        signal: AbortSignal.timeout(timeoutMs),
        headers: {
          ...(apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` }),
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const text = await response.text();
      if (!response.ok) throw toError(response.status, text);
      return (text === '' ? undefined : JSON.parse(text)) as T;
    },
  };
}

async function fetchAnswer(url: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(url, init);
  } catch (cause) {
    const { origin } = new URL(url);
    const message = `${origin} does not answer. Is it running ("posthaste start")? POSTHASTE_URL names another one.`;
    throw new PlatformError('GATEWAY_UNREACHABLE', message, { cause });
  }
}

function toError(status: number, text: string): PlatformError {
  const problem = parseProblem(text);
  if (!problem) return new PlatformError('INTERNAL', `the gateway answered ${status}`);
  return new PlatformError(problem.code, `${problem.detail} (${problem.code})`);
}

function parseProblem(text: string): { code: ErrorCode; detail: string } | undefined {
  try {
    const { code, detail } = JSON.parse(text) as { code?: unknown; detail?: unknown };
    if (typeof code !== 'string' || !(code in errorCodes)) return undefined;
    return { code: code as ErrorCode, detail: String(detail) };
  } catch {
    return undefined;
  }
}
