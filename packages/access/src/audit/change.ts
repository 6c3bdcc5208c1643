/** Somebody who changes something. */
export interface Actor {
  /**
   * - `key`, `person`, `token`: a caller of the API, by its credential.
   * - `local`: a caller on this machine, on a server that needs no credential.
   * - `command`: somebody who ran a command that writes to the database itself.
   * - `platform`: Posthaste itself.
   */
  readonly kind: 'key' | 'person' | 'token' | 'local' | 'command' | 'platform';
  /** Id of the key, person or token; `user@host` of a command; else the kind. */
  readonly id: string;
  /** Name for people. */
  readonly name: string;
}

/** The platform itself as an actor: what it changes without being asked to. */
export const platformActor: Actor = { kind: 'platform', id: 'platform', name: 'posthaste' };

/** Thing that was changed. */
export interface ChangedTarget {
  /** `endpoint`, `api-key`, `queue` and so on. */
  readonly kind: string;
  /** Id by which the API finds it. */
  readonly id: string;
  /** Name for people; the id where it has none. */
  readonly name: string;
}

/** Place that a change came from. Members that are not known are missing. */
export interface ChangeOrigin {
  /** Address of the client, behind proxies as they report it. */
  readonly address?: string | undefined;
  readonly userAgent?: string | undefined;
  /** Id of the request, which is in its log lines too. */
  readonly requestId?: string | undefined;
}

/** State of a target, as the API shows it. */
export type TargetState = Readonly<Record<string, unknown>>;

/** One change, for the audit log. Secrets in its states are masked when it is recorded. */
export interface Change {
  /** Application that the target belongs to; `undefined` for none, such as with an API key. */
  readonly application?: string | undefined;
  readonly actor: Actor;
  /** Kind of the target and what was done, such as `endpoint.updated`. */
  readonly action: string;
  readonly target: ChangedTarget;
  /** State that the change replaced; missing if it created the target. */
  readonly before?: TargetState | undefined;
  /** State after the change; missing if it removed the target. */
  readonly after?: TargetState | undefined;
  readonly origin?: ChangeOrigin | undefined;
  /** Reason or details, for people. */
  readonly note?: string | undefined;
}

/** Entry of the audit log. Its states have masks for secrets. */
export interface AuditEntry extends Change {
  /** UUIDv7. Ids ascend with `time`. */
  readonly id: string;
  /** Time of the change, by the clock of the database. */
  readonly time: Date;
  /** JSON Pointers (RFC 6901) of the members that differ, also those that are masked. */
  readonly changed: readonly string[];
}
