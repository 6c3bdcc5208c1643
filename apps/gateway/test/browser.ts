import type { App } from '../src/app.js';

type Response = Awaited<ReturnType<App['inject']>>;

/** Request of a page in a browser. */
export interface BrowserRequest {
  readonly method?: 'GET' | 'POST' | 'DELETE';
  /** Place of the page that causes it. Default: `same-origin`. */
  readonly site?: 'same-origin' | 'same-site' | 'cross-site' | 'none';
  readonly headers?: Record<string, string>;
  readonly body?: object;
}

interface Cookie {
  readonly value: string;
  readonly sameSite: string;
}

/**
 * A browser with its cookies: it keeps them with their attributes, and adds to a request those that a
 * browser of today would add.
 */
export class Browser {
  readonly cookies = new Map<string, Cookie>();
  readonly #app: App;
  readonly #host: string;

  constructor(app: App, host = 'localhost') {
    this.#app = app;
    this.#host = host;
  }

  async send(
    url: string,
    { method = 'GET', site = 'same-origin', headers, body }: BrowserRequest = {},
  ): Promise<Response> {
    const isFromOther = site === 'cross-site';
    const sent = [...this.cookies].filter(
      ([, { sameSite }]) => !isFromOther || (sameSite === 'Lax' && method === 'GET'),
    );
    const cookie = sent.map(([name, { value }]) => `${name}=${value}`).join('; ');
    const response = await this.#app.inject({
      ...{ method, url },
      headers: {
        host: this.#host,
        'sec-fetch-site': site,
        ...(cookie === '' ? {} : { cookie }),
        ...headers,
      },
      ...(body === undefined ? {} : { payload: body }),
    });
    for (const text of [response.headers['set-cookie'] ?? []].flat()) this.#keep(text);
    return response;
  }

  #keep(text: string): void {
    const [pair = '', ...attributes] = text.split('; ');
    const [name = '', value = ''] = pair.split('=');
    const sameSite = /SameSite=(\w+)/.exec(text)?.[1] ?? 'none';
    if (attributes.includes('Max-Age=0')) this.cookies.delete(name);
    else this.cookies.set(name, { value, sameSite });
  }
}
