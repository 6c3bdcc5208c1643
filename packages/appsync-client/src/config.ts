import type { AuthorizationRequest, Authorize } from './authorize.js';
import { type SigningKeys, signRequest } from './sigv4.js';

/** Source of a token: a text, or a function that returns a fresh one. */
export type TokenSource =
  | string
  | ((request: Pick<AuthorizationRequest, 'isRefused'>) => string | Promise<string>);

/** Options of every configuration. */
export interface ConfigOptions {
  /** `http` for servers without TLS. Default: that of the endpoint, else `https`. */
  readonly httpProtocol?: 'http' | 'https';
  /** `ws` for servers without TLS. Default: that of the endpoint, else `wss`. */
  readonly webSocketProtocol?: 'ws' | 'wss';
}

/** Addresses of a server, and authorization for it. */
export interface Config {
  /** URL that events are posted to; ends with `/event`. */
  httpUrl(): string;
  /** URL of the WebSocket; ends with `/event/realtime`. */
  realtimeUrl(): string;
  /** Returns the subprotocols of the WebSocket, one of which carries the credential. */
  subprotocols(isRefused?: boolean): Promise<string[]>;
  readonly authorize: Authorize;
}

/**
 * Creates a configuration. Endpoints are `host[:port][/prefix]`, to which `/event` and
 * `/event/realtime` are appended, or full URLs that end with `/event`.
 *
 * @param realtimeEndpoint undefined: derived from the other, as AWS names its hosts
 * @param authorize returns the headers of each operation, without `host`
 */
export function createConfig(
  [httpEndpoint, realtimeEndpoint]: readonly [string, string | undefined],
  authorize: Authorize,
  options: ConfigOptions = {},
): Config {
  const { httpProtocol = 'https', webSocketProtocol = 'wss' } = options;
  const http = toEventUrl(httpEndpoint, httpProtocol);
  const realtime = realtimeEndpoint
    ? toEventUrl(realtimeEndpoint.replace(/\/realtime$/, ''), webSocketProtocol)
    : deriveRealtime(http, options.webSocketProtocol);
  const withHost: Authorize = async (request) => ({
    host: http.host,
    ...(await authorize(request)),
  });
  return {
    httpUrl: () => http.href,
    realtimeUrl: () => `${realtime.href}/realtime`,
    authorize: withHost,
    async subprotocols(isRefused = false) {
      const headers = await withHost({ operation: 'connect', body: '{}', isRefused });
      return ['aws-appsync-event-ws', `header-${toBase64Url(JSON.stringify(headers))}`];
    },
  };
}

/** Configuration with an API key. */
// biome-ignore lint/complexity/useMaxParams: the parameters of the Go client, and options behind them
export function createApiKeyConfig(
  httpEndpoint: string,
  realtimeEndpoint: string | undefined,
  apiKey: string,
  options?: ConfigOptions,
): Config {
  return createConfig([httpEndpoint, realtimeEndpoint], () => ({ 'x-api-key': apiKey }), options);
}

/** Configuration with a token for a Lambda authorizer. It has no `Bearer ` before it. */
// biome-ignore lint/complexity/useMaxParams: the parameters of the Go client, and options behind them
export function createLambdaConfig(
  httpEndpoint: string,
  realtimeEndpoint: string | undefined,
  token: TokenSource,
  options?: ConfigOptions,
): Config {
  const authorize: Authorize = async (request) => ({
    Authorization: typeof token === 'string' ? token : await token(request),
  });
  return createConfig([httpEndpoint, realtimeEndpoint], authorize, options);
}

/** Configuration with a JWT of an OpenID provider. */
// biome-ignore lint/complexity/useMaxParams: as createLambdaConfig
export function createOidcConfig(
  httpEndpoint: string,
  realtimeEndpoint: string | undefined,
  token: TokenSource,
  options?: ConfigOptions,
): Config {
  return createLambdaConfig(httpEndpoint, realtimeEndpoint, token, options);
}

/** Configuration with a JWT of a Cognito user pool: access or ID token. */
// biome-ignore lint/complexity/useMaxParams: as createLambdaConfig
export function createCognitoConfig(
  httpEndpoint: string,
  realtimeEndpoint: string | undefined,
  token: TokenSource,
  options?: ConfigOptions,
): Config {
  return createLambdaConfig(httpEndpoint, realtimeEndpoint, token, options);
}

/** Keys of an IAM identity, and the region of the API. */
export interface IamCredentials extends SigningKeys {
  /** Default: that of the host name. */
  readonly region?: string;
}

/** Configuration with IAM keys, which sign every operation by Signature Version 4. */
// biome-ignore lint/complexity/useMaxParams: the parameters of the Go client, and options behind them
export function createIamConfig(
  httpEndpoint: string,
  realtimeEndpoint: string | undefined,
  credentials:
    | IamCredentials
    | ((request: Pick<AuthorizationRequest, 'isRefused'>) => Promise<IamCredentials>),
  options?: ConfigOptions & { readonly now?: () => number },
): Config {
  const { now = Date.now, ...rest } = options ?? {};
  const { host, pathname } = toEventUrl(httpEndpoint, rest.httpProtocol ?? 'https');
  const authorize: Authorize = async (request) => {
    const keys = typeof credentials === 'function' ? await credentials(request) : credentials;
    const region = keys.region ?? host.split('.')[2] ?? 'us-east-1';
    return signRequest({ host, path: pathname, region, body: request.body, now: now() }, keys);
  };
  return createConfig([httpEndpoint, realtimeEndpoint], authorize, rest);
}

function toEventUrl(endpoint: string, protocol: string): URL {
  const text = endpoint.includes('://') ? endpoint : `${protocol}://${endpoint}`;
  const url = new URL(text.replace(/\/+$/, ''));
  if (!url.pathname.endsWith('/event')) url.pathname = `${url.pathname.replace(/\/$/, '')}/event`;
  return url;
}

/** AWS has a host of its own for WebSockets; other servers have one host. */
function deriveRealtime(http: URL, protocol: string | undefined): URL {
  const scheme = protocol ?? (http.protocol === 'http:' ? 'ws' : 'wss');
  const rest = http.href.slice(http.protocol.length);
  return new URL(`${scheme}:${rest.replace('.appsync-api.', '.appsync-realtime-api.')}`);
}

function toBase64Url(text: string): string {
  const bytes = String.fromCharCode(...new TextEncoder().encode(text));
  return btoa(bytes).replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '');
}
