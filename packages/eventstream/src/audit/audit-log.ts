import type { JsonObject } from '@posthaste/contracts';

export type AuditActorType = 'USER' | 'CLIENT' | 'ANONYMOUS';

/** What changed; each side is left out when empty. */
export interface AuditDiff {
  readonly before?: JsonObject | undefined;
  readonly after?: JsonObject | undefined;
}

/** Told of an audit log that could not be published, with its bytes. */
export type AuditErrorCallback = (value: Buffer, error: unknown) => void;

/** Who did what to which object. `''` is as good as nothing. */
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
  /** The publisher's own when the object has none. */
  readonly objectNamespace: string;
  /** UUID v4 without hyphens. */
  readonly targetUserId?: string | undefined;
  readonly deviceId?: string | undefined;
  /** Default: an empty object. */
  readonly content?: JsonObject | undefined;
  readonly diff?: AuditDiff | undefined;
  /** Decides the partition. Default: none. */
  readonly key?: string | undefined;
  readonly onError?: AuditErrorCallback | undefined;
}

type Draft = { -readonly [Field in keyof AuditLogRequest]?: AuditLogRequest[Field] };

/** Builds an `AuditLogRequest` in the manner of the Go SDK. Each method changes it and returns it. */
export class AuditLogBuilder {
  readonly #draft: Draft = {};

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

  /** `USER`, or `CLIENT`. */
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

  /** The request as it is now; what is missing is found when it is published. */
  build(): Readonly<Partial<AuditLogRequest>> {
    return { ...this.#draft };
  }

  #set<Field extends keyof Draft>(field: Field, value: Draft[Field]): this {
    this.#draft[field] = value;
    return this;
  }
}

export function newAuditLog(): AuditLogBuilder {
  return new AuditLogBuilder();
}
