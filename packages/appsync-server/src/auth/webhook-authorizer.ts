import { randomUUID } from 'node:crypto';
import { ExpiringCache, isJsonObject, Semaphore, withTimeout } from '@posthaste/contracts';
import { RealtimeError } from '../protocol/realtime-error.js';
import { unauthorized } from './auth-modes.js';
import type { Authorizer, AuthRequest, Identity, Operation } from './authorizer.js';
import { fingerprint } from './identity-cache.js';

/** Question to an authorizer, in the shape of AWS Lambda authorizers. */
export interface AuthorizerEvent {
  readonly authorizationToken: string;
  readonly requestContext: {
    readonly apiId: string;
    readonly accountId: string;
    readonly requestId: string;
    readonly operation: 'EVENT_CONNECT' | 'EVENT_SUBSCRIBE' | 'EVENT_PUBLISH';
    /** Null on connect, as is `channel`. */
    readonly channelNamespaceName: string | null;
    readonly channel: string | null;
  };
  readonly requestHeaders: Readonly<Record<string, string>>;
}

/** Answer of an authorizer. */
export interface AuthorizerAnswer {
  readonly isAuthorized: boolean;
  /** Facts that handlers see as `identity.handlerContext`. */
  readonly handlerContext?: Readonly<Record<string, string>> | undefined;
  /** Time for which the answer is used again, in s. 0: it is not. */
  readonly ttlOverride?: number | undefined;
}

/** Options of {@link createWebhookAuthorizer}. */
export interface WebhookAuthorizerOptions {
  /**
   * Asks the authorizer: `createWebhookCall`, or a function of this process. Its answer is checked.
   */
  readonly ask: (event: AuthorizerEvent) => Promise<unknown>;
  /** Realm of all principals. Default `''`. */
  readonly realm?: string | undefined;
  /** Default `posthaste`. */
  readonly apiId?: string | undefined;
  /** Default `000000000000`. */
  readonly accountId?: string | undefined;
  /** Time for which an answer without `ttlOverride` is used again, in s. Default 300. */
  readonly ttlSeconds?: number | undefined;
  /** Longest time of one question with its wait for others, in ms. Default 10,000. */
  readonly timeoutMs?: number | undefined;
  /** Most questions at a time; others wait. Default 64. */
  readonly maxConcurrent?: number | undefined;
  /** Most answers that are remembered, and most identities. Default 10,000. */
  readonly cacheSize?: number | undefined;
  /** Called when the authorizer fails: everything is refused then. */
  readonly onError?: ((error: unknown) => void) | undefined;
  /** Returns the time in ms since 1970. Default `Date.now`. */
  readonly now?: (() => number) | undefined;
}

const operationNames = {
  connect: 'EVENT_CONNECT',
  subscribe: 'EVENT_SUBSCRIBE',
  publish: 'EVENT_PUBLISH',
} as const satisfies Record<Operation, string>;
/** Longest time for which an answer is used again, in s. As AWS. */
const maxTtlSeconds = 3_600;
const maxTokenLength = 16_384;
/** Questions that run or wait. Callers beyond them are to try again. */
const maxQuestions = 2_000;

/**
 * Creates the authorizer of opaque tokens, which asks another program about each token, operation
 * and channel. It fails closed: without a valid answer in time everything is refused.
 */
export function createWebhookAuthorizer(options: WebhookAuthorizerOptions): Authorizer {
  const questions = new Questions(options);
  return {
    mode: 'AWS_LAMBDA',
    accepts: ({ authorization }) =>
      authorization !== undefined &&
      authorization !== '' &&
      !authorization.startsWith('AWS4-HMAC-SHA256'),
    authorize: (request) => questions.authorize(request),
  };
}

/** Answers of an authorizer, and questions that wait for one. */
class Questions {
  readonly #options: WebhookAuthorizerOptions;
  readonly #now: () => number;
  readonly #allowed: ExpiringCache<Identity>;
  /** A cache of its own, so that a flood of guesses does not push out the valid ones. */
  readonly #denied: ExpiringCache<true>;
  /** One object for each token and handler context. */
  readonly #identities: ExpiringCache<Identity>;
  readonly #running = new Map<string, Promise<Identity>>();
  readonly #slots: Semaphore;

  constructor(options: WebhookAuthorizerOptions) {
    const { cacheSize = 10_000, maxConcurrent = 64, now = Date.now } = options;
    this.#options = options;
    this.#now = now;
    this.#slots = new Semaphore(maxConcurrent);
    this.#allowed = new ExpiringCache(cacheSize);
    this.#denied = new ExpiringCache(cacheSize);
    this.#identities = new ExpiringCache(cacheSize);
  }

  authorize(request: AuthRequest): Identity | Promise<Identity> {
    const token = request.headers.authorization ?? '';
    if (token.length > maxTokenLength) throw unauthorized();
    const key = fingerprint(
      JSON.stringify([token, request.operation, request.channel?.path ?? null]),
    );
    const now = this.#now();
    const known = this.#allowed.get(key, now);
    if (known !== undefined) return known;
    if (this.#denied.get(key, now)) throw unauthorized();
    const running = this.#running.get(key);
    if (running !== undefined) return running;
    if (this.#running.size >= maxQuestions) {
      throw new RealtimeError(
        'LimitExceededError',
        429,
        'Too many callers wait for the authorizer.',
      );
    }
    const asking = this.#ask(key, token, request).finally(() => this.#running.delete(key));
    this.#running.set(key, asking);
    return asking;
  }

  async #ask(key: string, token: string, request: AuthRequest): Promise<Identity> {
    const answer = await this.#answer(this.#toEvent(token, request));
    const { ttlSeconds = 300 } = this.#options;
    const ttl = Math.min(answer.ttlOverride ?? ttlSeconds, maxTtlSeconds);
    const until = this.#now() + ttl * 1_000;
    if (!answer.isAuthorized) {
      if (ttl > 0) this.#denied.set(key, true, until);
      throw unauthorized();
    }
    const identity = this.#identityOf(token, answer);
    if (ttl > 0) this.#allowed.set(key, identity, until);
    return identity;
  }

  async #answer(event: AuthorizerEvent): Promise<AuthorizerAnswer> {
    const { ask, timeoutMs = 10_000, onError } = this.#options;
    try {
      let isLate = false;
      const asking = this.#slots.run(async () => (isLate ? undefined : ask(event)));
      const answer = await withTimeout<unknown, never>(asking, timeoutMs, () => {
        isLate = true;
        throw new Error(`the authorizer did not answer within ${timeoutMs} ms`);
      });
      return parseAnswer(answer);
    } catch (error) {
      onError?.(error);
      // Not `UnauthorizedException`: clients would not try again.
      const message = 'The authorizer did not answer as it should.';
      throw new RealtimeError('InternalFailureException', 503, message);
    }
  }

  #identityOf(token: string, { handlerContext }: AuthorizerAnswer): Identity {
    const id = fingerprint(token).slice(0, 22);
    const key = `${fingerprint(token)} ${JSON.stringify(handlerContext ?? null)}`;
    const known = this.#identities.get(key, 0);
    if (known !== undefined) return known;
    const { realm = '' } = this.#options;
    const identity: Identity = {
      mode: 'AWS_LAMBDA',
      id,
      realm,
      ...(handlerContext === undefined ? {} : { handlerContext }),
    };
    this.#identities.set(key, identity, Number.POSITIVE_INFINITY);
    return identity;
  }

  #toEvent(token: string, { operation, channel, headers }: AuthRequest): AuthorizerEvent {
    const { apiId = 'posthaste', accountId = '000000000000' } = this.#options;
    return {
      authorizationToken: token,
      requestContext: {
        apiId,
        accountId,
        requestId: randomUUID(),
        operation: operationNames[operation],
        channelNamespaceName: channel?.segments[0] ?? null,
        channel: channel?.path ?? null,
      },
      requestHeaders: headers,
    };
  }
}

/** Checks an answer. Only `true` itself allows something. */
function parseAnswer(answer: unknown): AuthorizerAnswer {
  if (!isJsonObject(answer) || typeof answer.isAuthorized !== 'boolean') {
    throw new TypeError('the answer of the authorizer has no boolean isAuthorized');
  }
  const { isAuthorized, handlerContext, ttlOverride } = answer;
  if (ttlOverride !== undefined && ttlOverride !== null && !isTtl(ttlOverride)) {
    throw new TypeError('ttlOverride of the authorizer is not a number of seconds');
  }
  if (handlerContext !== undefined && handlerContext !== null && !isStringMap(handlerContext)) {
    throw new TypeError('handlerContext of the authorizer is not an object of texts');
  }
  return {
    isAuthorized,
    ...(isTtl(ttlOverride) ? { ttlOverride } : {}),
    ...(isStringMap(handlerContext) ? { handlerContext } : {}),
  };
}

function isTtl(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0;
}

function isStringMap(value: unknown): value is Readonly<Record<string, string>> {
  return isJsonObject(value) && Object.values(value).every((each) => typeof each === 'string');
}
