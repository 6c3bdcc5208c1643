import {
  exactKeywords,
  PlatformError,
  parseJsonWithDigits,
  toSchemaValue,
} from '@posthaste/contracts';
import { Ajv2020, type Options, type ValidateFunction } from 'ajv/dist/2020.js';

/** Own properties only: otherwise every object would satisfy `required: ['toString']`. */
export const filterOptions = { strict: false, ownProperties: true, logger: false } as const;

/**
 * Data of an event as a validator takes it, with its place: in a list of one item, which has the
 * exact number if the data is a number.
 */
export type FilterData = NonNullable<Parameters<ValidateFunction>[1]>;

/**
 * Converts the data of an event, of `parseJsonWithDigits`, for a compiled filter.
 * @param isExact false if plain doubles hold all numbers of the data, so that nobody has to search it
 */
export function toFilterData(data: unknown, isExact = true): FilterData {
  const parentData = (isExact ? toSchemaValue([data]) : [data]) as [Record<string, unknown>];
  return {
    instancePath: '',
    parentData,
    parentDataProperty: 0,
    rootData: parentData[0],
    dynamicAnchors: {},
  };
}

/** Parses the text of a valid filter for {@link compileFilter}. */
export function parseFilter(text: string): object {
  return toSchemaValue(parseJsonWithDigits(text)) as object;
}

/**
 * Compiles a filter with an Ajv instance of its own. An instance keeps everything it has compiled,
 * even schemas that are removed from it; this one is freed with its schema. Without the meta-schema
 * an instance costs a millisecond.
 * @throws Error if the filter is not a JSON Schema
 */
export function compileFilter(schema: object): ValidateFunction {
  const lean = { ...filterOptions, meta: false, validateSchema: false, messages: false };
  return forgetErrorsOfItems(createAjv(lean)).compile(schema);
}

/** Creates an Ajv instance that compares numbers exactly. */
export function createAjv(ajvOptions: Options): Ajv2020 {
  const ajv = new Ajv2020(ajvOptions);
  for (const definition of exactKeywords) {
    // Nobody reads errors of their own without messages, and they would be copied for each further one.
    const errors = ajvOptions.messages === false ? { errors: false } : {};
    ajv.removeKeyword(definition.keyword).addKeyword({ ...definition, ...errors });
  }
  return ajv;
}

/**
 * Makes `contains` forget the errors of an item before it checks the next one. As it comes, it keeps
 * those of all items until the end of the list: gigabytes for a long list and a long `anyOf`.
 */
function forgetErrorsOfItems(ajv: Ajv2020): Ajv2020 {
  const keyword = 'contains';
  const definition = ajv.getKeyword(keyword);
  if (typeof definition !== 'object' || !('code' in definition) || !definition.code) {
    throw new PlatformError('INTERNAL', `the validator has no code for ${keyword}`);
  }
  const { code } = definition;
  const forgetful: typeof code = (context, ruleType) => {
    const check = context.subschema.bind(context);
    context.subschema = (applied, valid) => {
      const checked = check(applied, valid);
      context.reset();
      return checked;
    };
    code(context, ruleType);
  };
  return ajv.removeKeyword(keyword).addKeyword({ ...definition, keyword, code: forgetful });
}
