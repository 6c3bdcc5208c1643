import { TypeBoxValidatorCompiler } from '@fastify/type-provider-typebox';
import type { FastifySchemaCompiler } from 'fastify';
import type { TObject, TSchema } from 'typebox';
import { Compile } from 'typebox/compile';
import { Value } from 'typebox/value';

const wholeNumber = /^-?\d+$/;

/**
 * Compiles the validator of one part of a request. The text in paths, queries and headers is
 * converted to the type of its schema. TypeBox's own conversion cuts the fraction of an integer, and
 * reads `true` as 1; here such text stays as it is, and is refused.
 */
export const compileValidator: FastifySchemaCompiler<TSchema> = (route) => {
  const { schema, httpPart } = route;
  const integers = httpPart === 'body' ? [] : integersOf(schema);
  if (integers.length === 0) return TypeBoxValidatorCompiler(route);
  const validator = Compile(schema);
  return (value: Readonly<Record<string, unknown>>) => {
    const unconverted = integers
      .map((name) => [name, value[name]] as const)
      .filter(([, given]) => typeof given === 'string' && !wholeNumber.test(given));
    const converted = {
      ...(Value.Convert(schema, value) as object),
      ...Object.fromEntries(unconverted),
    };
    return validator.Check(converted)
      ? { value: converted }
      : { error: validator.Errors(converted) };
  };
};

function integersOf(schema: TSchema): string[] {
  const { properties = {} } = schema as Partial<TObject>;
  return Object.keys(properties).filter((name) => {
    const { type } = (properties[name] ?? {}) as { readonly type?: unknown };
    return type === 'integer';
  });
}
