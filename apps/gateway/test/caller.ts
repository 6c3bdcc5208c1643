import type { InjectOptions } from 'fastify';
import type { App } from '../src/app.js';

export interface Answer<T = unknown> {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | number | undefined>>;
  /** The body, as text. */
  readonly body: string;
  /** The body, parsed; of the type that the test names. */
  readonly json: T;
}

type Method = NonNullable<InjectOptions['method']>;
type Headers = Readonly<Record<string, string>>;

/** Sends a request and parses the answer. A body that is neither text nor bytes is sent as JSON. */
export interface Call {
  <T = unknown>(method: Method, url: string, body?: unknown): Promise<Answer<T>>;
  /** Returns a caller that sends these headers with each request. */
  with(headers: Headers): Call;
}

/** Creates a caller that injects requests into a server, without a network. */
export function createCaller(app: App, headers: Headers = {}): Call {
  const call = async <T>(method: Method, url: string, body?: unknown): Promise<Answer<T>> => {
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
  return Object.assign(call, {
    with: (more: Headers): Call => createCaller(app, { ...headers, ...more }),
  });
}

function isRaw(body: unknown): body is string | Buffer {
  return typeof body === 'string' || Buffer.isBuffer(body);
}
