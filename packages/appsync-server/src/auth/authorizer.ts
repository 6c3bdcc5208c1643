import type { ChannelPath } from '@posthaste/contracts';

/** Ways to authorize, with the names of AWS. The headers that are present decide which one is meant. */
export type AuthMode =
  | 'API_KEY'
  | 'AMAZON_COGNITO_USER_POOLS'
  | 'OPENID_CONNECT'
  | 'AWS_LAMBDA'
  | 'AWS_IAM';

/** Thing that a credential is shown for. */
export type Operation = 'connect' | 'subscribe' | 'publish';

/** Credential of one operation, with what some modes sign or decide by. */
export interface AuthRequest {
  readonly operation: Operation;
  /**
   * Names in lower case. Of the connect object or the upgrade, of `authorization` in a frame, or of
   * the HTTP request.
   */
  readonly headers: Readonly<Record<string, string>>;
  /** Channel of a subscribe or publish; undefined on connect. */
  readonly channel?: ChannelPath | undefined;
  /**
   * Text whose hash an IAM signature contains: `{}` on connect, `{"channel":"…"}` on subscribe,
   * `{"channel":"…","events":[…]}` on publish with the channel as it was framed, or the HTTP body.
   */
  readonly body: string;
  readonly client?: AuthClient | undefined;
}

/** Facts about the program that shows a credential. */
export interface AuthClient {
  /** Origin of its web page, if that is not one of this server. */
  readonly foreignOrigin?: string | undefined;
  /** Its address, where the option `addressOf` of the server says it. */
  readonly address?: string | undefined;
}

/** Operation that is about to happen: its credential is valid, and may do it. */
export interface AdmittedOperation {
  readonly identity: Identity;
  readonly operation: Operation;
  /** Events of a publish; else 0. */
  readonly events: number;
}

/** Principal behind a valid credential. One object for each credential that is known. */
export interface Identity {
  readonly mode: AuthMode;
  /** Stable id of the principal: id of the key, `sub` of the token, access key id. */
  readonly id: string;
  /**
   * Tenant that the principal belongs to. The same path in two realms is two channels. `''` on a
   * server of one tenant.
   */
  readonly realm: string;
  /** Claims of a JWT. */
  readonly claims?: Readonly<Record<string, unknown>> | undefined;
  /** Answer of a webhook authorizer, for handlers. */
  readonly handlerContext?: Readonly<Record<string, string>> | undefined;
  /** End of the credential, in ms since 1970. Default: never. */
  readonly expiresAt?: number | undefined;
  /** True if the credential allows the operation on the channel. Default: any. */
  mayUse?(operation: 'subscribe' | 'publish', channel: ChannelPath): boolean;
}

/** Check of the credentials of one mode. */
export interface Authorizer {
  readonly mode: AuthMode;
  /** True if the headers carry a credential of this mode. */
  accepts(headers: Readonly<Record<string, string>>): boolean;
  /**
   * Returns the principal. Returns a promise only if it has to wait.
   * @throws RealtimeError `UnauthorizedException`, for every reason alike
   */
  authorize(request: AuthRequest): Identity | Promise<Identity>;
  /**
   * True while the credential is neither revoked nor changed. Asked about each identity in use, once
   * in 500 ms. Default: until `expiresAt`.
   */
  isValid?(identity: Identity): boolean;
}
