import { Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { describe, expect, it } from 'vitest';
import { toFieldFaults } from './field-faults.js';

const Body = Type.Object({
  url: Type.String(),
  phases: Type.Array(Type.Object({ delay: Type.Integer(), 'a/b': Type.Optional(Type.String()) })),
  state: Type.Optional(Type.Union([Type.Literal('on'), Type.Null()])),
});
const validator = Compile(Body);

function fieldsOf(value: unknown, part = 'body'): string[] {
  return toFieldFaults(validator.Errors(value), part).map((fault) => fault.field);
}

describe('field faults', () => {
  it('name each field by its path, missing ones included', () => {
    expect(fieldsOf({ phases: [{ delay: 1 }, { delay: 'x' }, {}] })).toEqual([
      'url',
      'phases.1.delay',
      'phases.2.delay',
    ]);
  });

  it('decode the escapes of JSON pointers', () => {
    expect(fieldsOf({ url: '', phases: [{ delay: 1, 'a/b': 7 }] })).toEqual(['phases.0.a/b']);
  });

  it('name the part of the request if a field is outside the body', () => {
    expect(fieldsOf({ phases: [] }, 'querystring')).toEqual(['query.url']);
    expect(fieldsOf({ phases: [] }, 'params')).toEqual(['path.url']);
    expect(fieldsOf({ phases: [] }, 'headers')).toEqual(['header.url']);
  });

  it('name unknown keys', () => {
    const strict = Compile(Type.Object({ url: Type.String() }, { additionalProperties: false }));
    expect(toFieldFaults(strict.Errors({ url: '', ulr: '' }), 'body')).toEqual([
      { field: 'ulr', message: 'is not known' },
    ]);
  });

  it('suggest the nearest key for an unknown one, also below arrays', () => {
    const Phase = Type.Object(
      { retries: Type.Optional(Type.Integer()), delayMs: Type.Optional(Type.Integer()) },
      { additionalProperties: false },
    );
    const Strict = Type.Object(
      { queue: Type.Optional(Type.String()), phases: Type.Optional(Type.Array(Phase)) },
      { additionalProperties: false },
    );
    const messagesOf = (value: unknown): string[] =>
      toFieldFaults(Compile(Strict).Errors(value), 'body', Strict).map(
        ({ field, message }) => `${field} ${message}`,
      );
    expect(messagesOf({ quee: '' })).toEqual(['quee is not known; did you mean queue?']);
    expect(messagesOf({ Queue: '' })).toEqual(['Queue is not known; did you mean queue?']);
    expect(messagesOf({ phases: [{ delay: 1 }, { delayMS: 1 }] })).toEqual([
      'phases.0.delay is not known; did you mean delayMs?',
      'phases.1.delayMS is not known; did you mean delayMs?',
    ]);
    expect(messagesOf({ colour: '' })).toEqual(['colour is not known']);
    expect(messagesOf({ ['q'.repeat(100_000)]: '' })[0]).toMatch(/is not known$/);
  });

  it('list the values that are allowed', () => {
    const Choice = Type.Object({
      state: Type.Optional(Type.Enum(['active', 'paused'], { type: 'string' })),
      version: Type.Optional(Type.Literal('1.0')),
      form: Type.Optional(Type.Unsafe({ type: ['string', 'null'], enum: ['a', 'b', null] })),
    });
    const wrong = { state: 'x', version: '2.0', form: 'c' };
    expect(toFieldFaults(Compile(Choice).Errors(wrong), 'body')).toEqual([
      { field: 'state', message: 'must be one of active, paused' },
      { field: 'version', message: 'must be "1.0"' },
      { field: 'form', message: 'must be one of a, b, null' },
    ]);
  });

  it('name the body itself when it is of the wrong type', () => {
    expect(fieldsOf('text')).toEqual(['body']);
  });

  it('list a field once, and not again for the union that it belongs to', () => {
    expect(new Set(fieldsOf({ url: '', phases: [], state: 7 }))).toEqual(new Set(['state']));
    expect(
      toFieldFaults(validator.Errors({ url: '', phases: [], state: 7 }), 'body').map(
        (fault) => fault.message,
      ),
    ).not.toContain('must match a schema in anyOf');
  });
});
