import type { InjectOptions } from 'fastify';
import type { App } from '../src/app.js';

export interface Answer<T = unknown> {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | number | undefined>>;
  /** As text. */
  readonly body: string;
  /** Parsed; what the test says that it is. */
  readonly json: T;
}

type Method = NonNullable<InjectOptions['method']>;
type Headers = Readonly<Record<string, string>>;

/** Sends a request; a body that is neither text nor bytes goes as JSON. Parses the answer. */
export type Call = <T = unknown>(
  method: Method,
  url: string,
  body?: unknown,
  headers?: Headers,
) => Promise<Answer<T>>;

/** Calls a server without the network between. */
export function callerOf(app: App): Call {
  return async <T>(method: Method, url: string, body?: unknown, headers: Headers = {}) => {
    const answer = await app.inject({
      method,
      url,
      headers: {
        host: 'localhost',
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { payload: isRaw(body) ? body : JSON.stringify(body) }),
    });
    return {
      status: answer.statusCode,
      headers: answer.headers,
      body: answer.body,
      json: (answer.body === '' ? undefined : JSON.parse(answer.body)) as T,
    };
  };
}

function isRaw(body: unknown): body is string | Buffer {
  return typeof body === 'string' || Buffer.isBuffer(body);
}
