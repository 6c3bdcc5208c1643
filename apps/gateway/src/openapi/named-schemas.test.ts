import { describe, expect, it } from 'vitest';
import { nameSchemas } from './named-schemas.js';

const thing = { title: 'Thing', type: 'object', properties: { title: { type: 'string' } } };
const { title: _, ...form } = thing;
const ref = { $ref: '#/components/schemas/Thing' };

describe('schemas with a title', () => {
  it('are moved to the components, and replaced by references', () => {
    const document = {
      info: { title: 'API' },
      components: { securitySchemes: { key: {} }, schemas: { Problem: { type: 'object' } } },
      paths: { '/a': { get: thing, put: { type: 'array', items: [thing] } } },
    };
    expect(nameSchemas(document)).toEqual({
      info: { title: 'API' },
      components: {
        securitySchemes: { key: {} },
        schemas: { Problem: { type: 'object' }, Thing: form },
      },
      paths: { '/a': { get: ref, put: { type: 'array', items: [ref] } } },
    });
  });

  it('can refer to one another', () => {
    const holder = { title: 'Holder', properties: { thing } };
    expect(nameSchemas({ paths: { a: holder } })).toMatchObject({
      components: { schemas: { Holder: { properties: { thing: ref } }, Thing: form } },
      paths: { a: { $ref: '#/components/schemas/Holder' } },
    });
  });

  it('keep a description of their own next to the reference', () => {
    const paths = { a: { ...thing, description: 'first' }, b: { ...thing, description: 'second' } };
    expect(nameSchemas({ paths })).toMatchObject({
      components: { schemas: { Thing: { description: 'first' } } },
      paths: { a: ref, b: { ...ref, description: 'second' } },
    });
  });

  it('are not looked for in examples and defaults', () => {
    const paths = { a: { examples: [thing], default: thing } };
    expect(nameSchemas({ paths })).toMatchObject({ paths });
  });

  it('must not have the same title if they differ', () => {
    const paths = { a: thing, b: { ...thing, type: 'array' } };
    expect(() => nameSchemas({ paths })).toThrow('two different schemas have the title Thing');
  });
});
