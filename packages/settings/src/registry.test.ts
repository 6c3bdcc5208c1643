import { describe, expect, it } from 'vitest';
import { variablesOf } from './definition.js';
import { settingSections } from './registry.js';
import { renderSettings } from './render.js';

const definitions = settingSections.flatMap((section) => Object.values(section.settings));

describe('the registry', () => {
  it('names each variable once', () => {
    const names = settingSections.flatMap((section) => variablesOf(section.settings));
    expect(names).toEqual([...new Set(names)]);
  });

  it('has only defaults within their own range', () => {
    for (const definition of definitions) {
      if (definition.type !== 'integer' && definition.type !== 'duration') continue;
      if (definition.default === undefined) continue;
      expect(definition.default, definition.name).toBeGreaterThanOrEqual(definition.min);
      expect(definition.default, definition.name).toBeLessThanOrEqual(definition.max);
    }
  });
});

describe('the rendered documentation', () => {
  const markdown = renderSettings(settingSections);

  it('has a row for every setting', () => {
    for (const { name } of definitions) expect(markdown).toContain(`| \`${name}\``);
  });

  it('shows ranges, units, defaults and the file of a secret', () => {
    expect(markdown).toContain(
      '| `POSTHASTE_PORT` | a whole number from 0 to 65535 | `8080` | Port to listen on.',
    );
    expect(markdown).toContain('from 0 to 1h | `20s` |');
    expect(markdown).toContain('| `DATABASE_URL` or `DATABASE_URL_FILE` |');
    expect(markdown).toContain('| one of loopback, keys | not set |');
  });
});
