/** The part of a URL that decides where to connect, and the part that goes into the request line. */
export interface Target {
  /** Scheme, host and port, as `https://example.com:8443`: connections are shared by it. */
  readonly origin: string;
  /** Host, with the port unless it is the scheme's own. Fit for messages: no path, no secret. */
  readonly host: string;
  /** Host alone, as the URL standard writes it: lower case, addresses in their one normal form, IPv6 in brackets. */
  readonly hostname: string;
  /** Path and query. The fragment is left out: it never goes to a server. */
  readonly path: string;
}

/** Why a URL cannot be sent to, in words for people. */
export interface TargetProblem {
  readonly problem: string;
}

/**
 * Splits an absolute http or https URL. What is judged and what is connected to both come from
 * here, so `http://2130706433/` and `http://0x7f.1/` are `127.0.0.1` for the guard as well.
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
    return { problem: 'the URL must not have credentials in it: send them in a header' };
  }
  if (parsed.port === '0')
    return { problem: 'the URL must not have port 0: nothing can listen there' };
  return {
    origin: `${protocol}//${host}`,
    host,
    hostname: parsed.hostname,
    path: parsed.pathname + parsed.search,
  };
}

/** How much a target parser remembers: so many URLs, none of them longer than this. */
const maxCachedTargets = 1_000;
const maxCachedUrlLength = 2_048;

/** `parseTarget` with a memory, because callbacks go to the same URLs again and again. */
export function createTargetParser(): typeof parseTarget {
  const cache = new Map<string, Target>();
  return (url) => {
    const known = cache.get(url);
    if (known !== undefined) return known;
    const target = parseTarget(url);
    if ('problem' in target || url.length > maxCachedUrlLength) return target;
    if (cache.size >= maxCachedTargets) cache.clear();
    cache.set(url, target);
    return target;
  };
}
