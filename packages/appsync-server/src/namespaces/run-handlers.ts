import type { ChannelPath } from '@posthaste/contracts';
import { PlatformError, withTimeout } from '@posthaste/contracts';
import type { AuthMode, Identity } from '../auth/authorizer.js';
import type { ChannelEvent } from '../hub/broker.js';
import { RealtimeError } from '../protocol/realtime-error.js';
import { allowOwn, type ChannelRule } from './channel-rules.js';
import { compileEventSchema, type EventCheck } from './event-schema.js';
import type { HandlerContext, Namespace, PublishReturn } from './namespace.js';
import { type PublishOutcome, PublishRun } from './publish-run.js';

/** Options of {@link HandlerRunner}. */
export interface HandlerRunnerOptions {
  /** True gives denials the type `Unauthorized`, as AWS does, and not `Forbidden`. Default false. */
  readonly strictAws?: boolean | undefined;
  /** Longest time of one handler, in ms. Default 5,000. */
  readonly timeoutMs?: number | undefined;
  /** Largest event where the namespace does not say, in bytes. Default 245,760. */
  readonly maxEventBytes?: number | undefined;
  /** Called with what a handler has thrown, which clients do not see. */
  readonly onHandlerError?: ((error: unknown, namespace: Namespace) => void) | undefined;
}

/** Operation that a handler decides about. */
export interface HandlerRequest {
  readonly identity: Identity;
  readonly headers: Readonly<Record<string, string>>;
  readonly channel: ChannelPath;
}

/** Publish that a handler decides about. */
export interface PublishRequest extends HandlerRequest {
  /** Events as they came, with the ids that they have got. */
  readonly events: readonly ChannelEvent[];
}

type Operation = 'PUBLISH' | 'SUBSCRIBE';

/** Modes of users, which `ownChannels` of a namespace is about. */
const userModes: ReadonlySet<AuthMode> = new Set([
  'OPENID_CONNECT',
  'AMAZON_COGNITO_USER_POOLS',
  'AWS_LAMBDA',
]);

/** Runs the handlers of namespaces, and checks events by size and schema. */
export class HandlerRunner {
  readonly #denialType: 'Forbidden' | 'Unauthorized';
  readonly #timeoutMs: number;
  readonly #maxEventBytes: number;
  readonly #onHandlerError: (error: unknown, namespace: Namespace) => void;
  /** Compiled schemas. */
  readonly #checks = new WeakMap<Namespace, EventCheck>();
  readonly #ownRules = new WeakMap<Namespace, ChannelRule>();

  constructor(options: HandlerRunnerOptions = {}) {
    const { strictAws = false, timeoutMs = 5_000, maxEventBytes = 240 * 1024 } = options;
    this.#denialType = strictAws ? 'Unauthorized' : 'Forbidden';
    this.#timeoutMs = timeoutMs;
    this.#maxEventBytes = maxEventBytes;
    this.#onHandlerError = options.onHandlerError ?? (() => undefined);
  }

  /**
   * Decides about the events of a publish. Returns a promise only if the handler does.
   * @throws RealtimeError that rejects the whole batch: the channel is not the user's own, an event is
   *   not JSON, or the handler denies, throws, returns undefined or takes too long
   */
  publish(namespace: Namespace, request: PublishRequest): PublishOutcome | Promise<PublishOutcome> {
    this.checkOwn(namespace, request, 'PUBLISH');
    const run = new PublishRun(request.events, {
      check: this.#checkOf(namespace),
      maxBytes: namespace.maxEventBytes ?? this.#maxEventBytes,
      isHandled: namespace.handlers?.onPublish !== undefined,
    });
    const { onPublish } = namespace.handlers ?? {};
    if (onPublish === undefined || run.events.length === 0) return run.finishUnhandled();
    const context = { ...this.#context(namespace, request, 'PUBLISH'), events: run.events };
    const finish = (returned: PublishReturn): PublishOutcome => {
      try {
        return run.finish(returned);
      } catch (error) {
        throw this.#toError(error, namespace, 'PUBLISH');
      }
    };
    const returned = this.#call(namespace, 'PUBLISH', () => onPublish(context));
    return returned instanceof Promise ? returned.then(finish) : finish(returned);
  }

  /**
   * Asks the handler about a subscriber. Returns a promise only if the handler does.
   * @throws RealtimeError if it denies, throws or takes too long, or the channel is not the user's own
   */
  subscribe(namespace: Namespace, request: HandlerRequest): void | Promise<void> {
    this.checkOwn(namespace, request, 'SUBSCRIBE');
    const { onSubscribe } = namespace.handlers ?? {};
    if (onSubscribe === undefined) return;
    const context = this.#context(namespace, request, 'SUBSCRIBE');
    return this.#call(namespace, 'SUBSCRIBE', () => onSubscribe(context));
  }

  /** Checks `ownChannels`. @throws RealtimeError for a user on a channel that is not its own */
  checkOwn(namespace: Namespace, request: HandlerRequest, operation: Operation): void {
    const { ownChannels } = namespace;
    if (ownChannels === undefined || !userModes.has(request.identity.mode)) return;
    const rule = this.#ownRules.get(namespace) ?? allowOwn(ownChannels);
    this.#ownRules.set(namespace, rule);
    const unauthorized = (): never => {
      const message = `Users of this namespace have their own channels only: ${ownChannels}`;
      throw new RealtimeError(this.#denialType, 403, message);
    };
    rule({ ...this.#context(namespace, request, operation), unauthorized });
  }

  #checkOf(namespace: Namespace): EventCheck | undefined {
    if (namespace.schema === undefined || namespace.schema === true) return undefined;
    const known = this.#checks.get(namespace);
    if (known !== undefined) return known;
    const check = compileEventSchema(namespace.schema);
    this.#checks.set(namespace, check);
    return check;
  }

  #call<Value>(
    namespace: Namespace,
    operation: Operation,
    handler: () => Value | Promise<Value>,
  ): Value | Promise<Value> {
    const refuse = (error: unknown): never => {
      throw this.#toError(error, namespace, operation);
    };
    let returned: Value | Promise<Value>;
    try {
      returned = handler();
    } catch (error) {
      return refuse(error);
    }
    if (!isPromiseLike(returned)) return returned;
    const limited = withTimeout<Value, never>(returned, this.#timeoutMs, () => {
      throw new PlatformError('REALTIME_REFUSED', `a handler took more than ${this.#timeoutMs} ms`);
    });
    return limited.catch(refuse);
  }

  /** Returns the refusal that a client sees. It shows nothing of an error that is no refusal. */
  #toError(error: unknown, namespace: Namespace, operation: Operation): RealtimeError {
    if (error instanceof RealtimeError) return error;
    this.#onHandlerError(error, namespace);
    return operation === 'PUBLISH'
      ? new RealtimeError('HandlerError', 500, 'The onPublish handler failed.')
      : new RealtimeError('SubscriptionProcessingError', 500, 'The onSubscribe handler failed.');
  }

  #context(namespace: Namespace, request: HandlerRequest, operation: Operation): HandlerContext {
    const { identity, headers, channel } = request;
    const denialType = this.#denialType;
    return {
      identity,
      request: { headers },
      info: {
        channel: { path: channel.path, segments: channel.segments },
        channelNamespace: { name: namespace.name },
        operation,
      },
      unauthorized(): never {
        throw new RealtimeError(denialType, 403, 'The handler denies this operation.');
      },
    };
  }
}

function isPromiseLike<Value>(value: Value | Promise<Value>): value is Promise<Value> {
  if (typeof value !== 'object' || value === null) return false;
  return 'then' in value && typeof value.then === 'function';
}
