import {
  exactKeywords,
  hasExactNumber,
  PlatformError,
  parseJsonWithBigints,
  toSchemaValue,
} from '@posthaste/contracts';
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
    for (const definition of exactKeywords) {
      ajv.removeKeyword(definition.keyword).addKeyword(definition);
    }
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
   * The JSON is what counts: a bigint is an integer, a date is its text. Integers are compared
   * exactly.
   * @throws PlatformError `EVENT_INVALID`; `details.errors` has every error with its place
   */
  check(topic: string, eventName: string, payload: unknown): void {
    const validate = this.#validators.get(topic)?.get(eventName);
    if (validate === undefined) return;
    const isValid = !hasExactNumber(payload) && validate(payload ?? {});
    if (isValid || validate(toJson(payload))) return;
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

/** Returns the payload as it is in the stream, for validators. */
function toJson(payload: unknown): unknown {
  return toSchemaValue(parseJsonWithBigints(toGoJson(payload ?? {}, 'payload')));
}

function compile(ajv: Ajv2020, place: string, schema: object): ValidateFunction {
  try {
    return ajv.compile(toSchemaValue(schema) as object);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new PlatformError('OPTION_INVALID', `schema of ${place}: ${reason}`, { cause });
  }
}
