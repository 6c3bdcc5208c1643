import { type EventEnvelope, isApplicationName, PlatformError } from '@posthaste/contracts';
import { AuditLogBuilder, type AuditLogRequest } from '../audit/audit-log.js';
import type { AuditSettings } from '../audit/build-audit-log.js';
import { buildAuditLog } from '../audit/build-audit-log.js';
import { type BuiltEvent, buildEvent } from '../builders/build-event.js';
import { PublishBuilder, type PublishRequest } from '../builders/publish.js';
import type { Publisher } from '../publish/publisher.js';
import type { OutgoingRecord } from '../record.js';
import type { ClientOptions } from './client-config.js';
import type { PayloadSchemas } from './payload-schemas.js';
import type { StreamLogger } from './stream-log.js';

/** Options of `EventPublishing`. */
export interface EventPublishingOptions {
  readonly prefix: string;
  readonly options: Pick<
    ClientOptions,
    'profile' | 'strictValidation' | 'traceparent' | 'application'
  >;
  readonly audit: AuditSettings;
  readonly publisher: Publisher;
  readonly schemas: PayloadSchemas;
  readonly log: StreamLogger;
}

/** Validates events, encodes each once and hands the records to the publisher. */
export class EventPublishing {
  readonly #options: EventPublishingOptions;

  /** @throws PlatformError `OPTION_INVALID` for an application that cannot be one */
  constructor(options: EventPublishingOptions) {
    const { application = '' } = options.options;
    if (!isApplicationName(application)) {
      const message = 'application must have up to 256 characters, and none of control';
      throw new PlatformError('OPTION_INVALID', message);
    }
    this.#options = options;
  }

  /**
   * Resolves when the event is accepted for every topic. Its `errorCallback` gets later failures.
   */
  async accept(request: PublishRequest): Promise<EventEnvelope<object>> {
    const built = this.#build(request);
    const [topic, second] = built.topics;
    const record = toRecord(built);
    if (topic !== undefined && second === undefined) await this.#acceptFor(topic, record, built);
    else await Promise.all(built.topics.map((each) => this.#acceptFor(each, record, built)));
    return built.envelope;
  }

  /** Resolves when the event is acknowledged on every topic. */
  async send(event: PublishBuilder | PublishRequest): Promise<EventEnvelope<object>> {
    const built = this.#build(event instanceof PublishBuilder ? event.build() : event);
    const [topic, second] = built.topics;
    const record = toRecord(built);
    if (topic === undefined || second !== undefined) await this.#sendToAll(record, built);
    else await this.#sendTo(topic, record, built);
    return built.envelope;
  }

  /** Resolves when the log is accepted (for a builder) or acknowledged (for a plain object). */
  async sendAuditLog(log: AuditLogBuilder | AuditLogRequest): Promise<void> {
    const { audit, prefix, publisher, options } = this.#options;
    if (!audit.enabled) return;
    const { application } = options;
    const { topic, record, onError } = buildAuditLog(log, { prefix, settings: audit, application });
    const report = (error: unknown): void => this.#guard(() => onError?.(record.value, error));
    if (log instanceof AuditLogBuilder)
      return publisher.enqueue(topic, record, { onFailed: report });
    try {
      await publisher.send(topic, record);
    } catch (error) {
      report(error);
      throw error;
    }
  }

  #build(request: PublishRequest): BuiltEvent {
    const { prefix, schemas } = this.#options;
    const { profile = 'default', strictValidation = false } = this.#options.options;
    const { traceparent, application } = this.#options.options;
    const trace = traceparent?.();
    const own = { prefix, profile, strictValidation, application, traceparent: trace };
    const built = buildEvent(request, own);
    const { topic, eventName, payload } = request;
    for (const name of typeof topic === 'string' ? [topic] : topic) {
      schemas.check(name, eventName, payload);
    }
    return built;
  }

  #acceptFor(topic: string, record: OutgoingRecord, built: BuiltEvent): Promise<void> {
    const { timeoutMs, signal } = built;
    return this.#options.publisher.enqueue(topic, record, {
      timeoutMs,
      signal,
      onFailed: (error) => this.#reportFailure(built, error),
    });
  }

  #sendTo(topic: string, record: OutgoingRecord, built: BuiltEvent): Promise<void> {
    const { timeoutMs, signal, onError } = built;
    const sent = this.#options.publisher.send(topic, record, { timeoutMs, signal });
    if (onError === undefined) return sent;
    return sent.catch((error: unknown) => {
      this.#reportFailure(built, error);
      throw error;
    });
  }

  /** Rejects with the first failure, once all topics have an outcome. */
  async #sendToAll(record: OutgoingRecord, built: BuiltEvent): Promise<void> {
    const sent = built.topics.map((topic) => this.#sendTo(topic, record, built));
    const failed = (await Promise.allSettled(sent)).find(({ status }) => status === 'rejected');
    if (failed?.status === 'rejected') throw failed.reason;
  }

  #reportFailure({ onError, envelope }: BuiltEvent, error: unknown): void {
    this.#guard(() => onError?.(envelope, error));
  }

  /** Calls a function of the publisher. Its failure is logged and does not stop other events. */
  #guard(callback: () => void): void {
    try {
      callback();
    } catch (err) {
      this.#options.log.error({ err }, 'an error callback failed');
    }
  }
}

function toRecord({ key, value, headers }: BuiltEvent): OutgoingRecord {
  return { key, value, headers };
}
