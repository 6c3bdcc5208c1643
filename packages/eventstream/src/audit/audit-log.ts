import type { JsonObject } from '@posthaste/contracts';

/** Type of the one who acted. */
export type AuditActorType = 'USER' | 'CLIENT' | 'ANONYMOUS';

/** Change of an object. An empty side is left out. */
export interface AuditDiff {
  readonly before?: JsonObject | undefined;
  readonly after?: JsonObject | undefined;
}

/** Function for an audit log that could not be published, with its bytes. */
export type AuditErrorCallback = (value: Buffer, error: unknown) => void;

/** An audit log: an actor, an action and an object. `''` counts as not given. */
export interface AuditLogRequest {
  readonly category: string;
  readonly actionName: string;
  readonly ip?: string | undefined;
  /** UUID v4 without hyphens. */
  readonly actor: string;
  readonly actorType: AuditActorType;
  /** UUID v4 without hyphens. */
  readonly clientId: string;
  readonly actorNamespace: string;
  readonly objectId?: string | undefined;
  readonly objectType?: string | undefined;
  /** Namespace of the object; the publisher's own if the object has none. */
  readonly objectNamespace: string;
  /** UUID v4 without hyphens. */
  readonly targetUserId?: string | undefined;
  readonly deviceId?: string | undefined;
  /** Default: an empty object. */
  readonly content?: JsonObject | undefined;
  readonly diff?: AuditDiff | undefined;
  /** Decides the partition. Default: no key. */
  readonly key?: string | undefined;
  readonly onError?: AuditErrorCallback | undefined;
}

type MutableRequest = { -readonly [Field in keyof AuditLogRequest]?: AuditLogRequest[Field] };

/**
 * Builder of an `AuditLogRequest`, as in the Go SDK. Each method changes and returns the builder.
 */
export class AuditLogBuilder {
  readonly #request: MutableRequest = {};

  category(category: string): this {
    return this.#set('category', category);
  }

  actionName(actionName: string): this {
    return this.#set('actionName', actionName);
  }

  ip(ip: string): this {
    return this.#set('ip', ip);
  }

  /** UUID v4 without hyphens. */
  actor(actor: string): this {
    return this.#set('actor', actor);
  }

  actorType(actorType: AuditActorType): this {
    return this.#set('actorType', actorType);
  }

  /** Sets the actor type to `USER` if true, else to `CLIENT`. */
  isActorTypeUser(isUser: boolean): this {
    return this.#set('actorType', isUser ? 'USER' : 'CLIENT');
  }

  /** UUID v4 without hyphens. */
  clientId(clientId: string): this {
    return this.#set('clientId', clientId);
  }

  actorNamespace(actorNamespace: string): this {
    return this.#set('actorNamespace', actorNamespace);
  }

  objectId(objectId: string): this {
    return this.#set('objectId', objectId);
  }

  objectType(objectType: string): this {
    return this.#set('objectType', objectType);
  }

  objectNamespace(objectNamespace: string): this {
    return this.#set('objectNamespace', objectNamespace);
  }

  /** UUID v4 without hyphens. */
  targetUserId(targetUserId: string): this {
    return this.#set('targetUserId', targetUserId);
  }

  deviceId(deviceId: string): this {
    return this.#set('deviceId', deviceId);
  }

  content(content: JsonObject): this {
    return this.#set('content', content);
  }

  diff(diff: AuditDiff): this {
    return this.#set('diff', diff);
  }

  /** Decides the partition. */
  key(key: string): this {
    return this.#set('key', key);
  }

  errorCallback(onError: AuditErrorCallback): this {
    return this.#set('onError', onError);
  }

  /** Returns the request as it is now. Missing fields are reported when it is published. */
  build(): Readonly<Partial<AuditLogRequest>> {
    return { ...this.#request };
  }

  #set<Field extends keyof MutableRequest>(field: Field, value: MutableRequest[Field]): this {
    this.#request[field] = value;
    return this;
  }
}

/** Returns a builder of an audit log. */
export function newAuditLog(): AuditLogBuilder {
  return new AuditLogBuilder();
}
