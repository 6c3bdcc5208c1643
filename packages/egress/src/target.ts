/** Parsed URL: the part that decides where to connect, and the part for the request line. */
export interface Target {
  /** Scheme, host and port, for example `https://example.com:8443`. Connections are shared per origin. */
  readonly origin: string;
  /** Host, with the port unless it is the default one. Safe in messages: no path, no secret. */
  readonly host: string;
  /**
   * Host alone, in the normal form of the URL standard: lower case, addresses in one notation, IPv6
   * in brackets.
   */
  readonly hostname: string;
  /** Path and query, without the fragment, which is never sent to a server. */
  readonly path: string;
}

/** Fault of a URL that no request can be sent to. */
export interface TargetProblem {
  /** Description for people. */
  readonly problem: string;
}

/**
 * Splits an absolute http or https URL. The guard and the connection both use its result, so
 * `http://2130706433/` and `http://0x7f.1/` are `127.0.0.1` for the guard as well.
 */
export function parseTarget(url: string): Target | TargetProblem {
  const parsed = URL.parse(url);
  if (parsed === null)
    return { problem: 'the URL must be absolute, such as https://example.com/path' };
  const { protocol, host } = parsed;
  if (protocol !== 'http:' && protocol !== 'https:') {
    return { problem: `the URL must begin with http: or https:, not ${protocol}` };
  }
  if (parsed.username !== '' || parsed.password !== '') {
    return { problem: 'the URL must not contain credentials: send them in a header' };
  }
  if (parsed.port === '0')
    return { problem: 'the URL must not have port 0: no server can listen on it' };
  return {
    origin: `${protocol}//${host}`,
    host,
    hostname: parsed.hostname,
    path: parsed.pathname + parsed.search,
  };
}

/** Most URLs in the cache of a target parser. */
const maxCachedTargets = 1_000;
/** Longest URL that is cached, in characters. */
const maxCachedUrlLength = 2_048;

/** Creates a `parseTarget` with a cache, because callbacks go to the same URLs again and again. */
export function createTargetParser(): typeof parseTarget {
  const cache = new Map<string, Target>();
  return (url) => {
    const cached = cache.get(url);
    if (cached !== undefined) return cached;
    const target = parseTarget(url);
    if ('problem' in target || url.length > maxCachedUrlLength) return target;
    if (cache.size >= maxCachedTargets) cache.clear();
    cache.set(url, target);
    return target;
  };
}
