import { PlatformError } from '@posthaste/contracts';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { toGoJson } from '../envelope/go-json.js';

/** JSON Schemas by topic (without prefix) and event name. */
export type PayloadSchemaTable = Readonly<
  Record<string, Readonly<Record<string, object | undefined>> | undefined>
>;

/** Payload checks by topic and event name. */
export class PayloadSchemas {
  /** Errors that `check` has thrown. */
  readonly #refusals = new WeakSet<object>();
  readonly #validators: ReadonlyMap<string, ReadonlyMap<string, ValidateFunction>>;

  /** @throws PlatformError `OPTION_INVALID` with the schema and the reason */
  constructor(table: PayloadSchemaTable = {}) {
    // `format` is only an annotation, the draft's default.
    const ajv = new Ajv2020({ allErrors: true, validateFormats: false });
    const compileAll = (topic: string, schemas: PayloadSchemaTable[string]) =>
      new Map(
        Object.entries(schemas ?? {}).flatMap(([eventName, schema]) =>
          schema ? [[eventName, compile(ajv, `${topic} ${eventName}`, schema)] as const] : [],
        ),
      );
    this.#validators = new Map(
      Object.entries(table).map(([topic, schemas]) => [topic, compileAll(topic, schemas)]),
    );
  }

  /**
   * Checks a payload. Events without a schema pass. A missing payload counts as an empty object.
   * The JSON is what counts: a 64-bit integer is an integer, a date is its text.
   * @throws PlatformError `EVENT_INVALID`; `details.errors` has every error with its place
   */
  check(topic: string, eventName: string, payload: unknown): void {
    const validate = this.#validators.get(topic)?.get(eventName);
    if (validate === undefined || validate(payload ?? {}) || validate(toJson(payload))) return;
    const errors = validate.errors?.map(({ instancePath, message }) => ({
      path: instancePath,
      message,
    }));
    const [first] = errors ?? [];
    const refusal = new PlatformError(
      'EVENT_INVALID',
      `payload of ${eventName} on ${topic}: ${first?.path ?? ''} ${first?.message ?? ''}`,
      { details: { field: 'payload', errors } },
    );
    this.#refusals.add(refusal);
    throw refusal;
  }

  /** True if an event of the topic has a schema. */
  covers(topic: string): boolean {
    return (this.#validators.get(topic)?.size ?? 0) > 0;
  }

  /** True if `check` threw this error. */
  hasThrown(error: unknown): boolean {
    return typeof error === 'object' && error !== null && this.#refusals.has(error);
  }
}

/** Returns the payload as it is in the stream, integers beyond 2^53 as the nearest number. */
function toJson(payload: unknown): unknown {
  return JSON.parse(toGoJson(payload ?? {}, 'payload'));
}

function compile(ajv: Ajv2020, place: string, schema: object): ValidateFunction {
  try {
    return ajv.compile(schema);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new PlatformError('OPTION_INVALID', `schema of ${place}: ${reason}`, { cause });
  }
}
