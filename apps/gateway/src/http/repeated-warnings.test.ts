import { expect, it } from 'vitest';
import { RepeatedWarnings } from './repeated-warnings.js';

it('writes the first of a kind, then one a second with the number of the others', () => {
  const lines: [object, string][] = [];
  const log = { warn: (fields: object, message: string) => void lines.push([fields, message]) };
  let now = 0;
  const warnings = new RepeatedWarnings(() => now);
  for (now = 0; now < 1_500; now += 100) warnings.warn(log, 'gone', 'the database is gone');
  warnings.warn(log, 'full', 'the disk is full');
  expect(lines).toEqual([
    [{ kind: 'gone' }, 'the database is gone'],
    [{ kind: 'gone', suppressed: 9 }, 'the database is gone'],
    [{ kind: 'full' }, 'the disk is full'],
  ]);
});
