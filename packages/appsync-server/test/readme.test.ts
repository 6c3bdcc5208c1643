import { join } from 'node:path';
import { readExamples, runExample } from '@posthaste/testbed/examples';
import { expect, it } from 'vitest';

const folder = join(import.meta.dirname, '..');
const examples = await readExamples(join(folder, 'README.md'), 'ts');

/** Output of the examples, in the order of the README. */
const outputs = [
  /^200 \{\s*successful: \[ \{ identifier: '[0-9a-f-]{36}', index: 0 \} \],\s*failed: \[\]\s*\}\n$/,
  /^page 405\n$/,
  /^0\n$/,
];

it('has an expected output for every example of the README', () => {
  expect(examples).toHaveLength(outputs.length);
});

it.each([...outputs.entries()])(
  'prints what the README promises: example %i',
  async (index, output) => {
    expect(await runExample(examples[index] ?? '', { folder })).toMatch(output);
  },
);
