import { join } from 'node:path';
import { readExamples, runExample } from '@posthaste/testbed/examples';
import { expect, it } from 'vitest';
import { startPlainServer } from './plain-server.js';

const folder = join(import.meta.dirname, '../../../packages/appsync-client');
const examples = await readExamples(join(folder, 'README.md'), 'ts');

/** Output of the examples, in the order of the README. */
const outputs = ['hello\n', '3.00\n', "members [ { member: 'ann', data: { mood: 'fine' } } ]\n"];

it('has an expected output for every example of the README of the client', () => {
  expect(examples).toHaveLength(outputs.length);
});

it.each([...outputs.entries()])(
  'prints what the README of the client promises: example %i',
  async (index, output) => {
    const { host } = await startPlainServer({ keys: ['any-key'] });
    // As it stands, but for the address: the port may be in use here.
    const source = (examples[index] ?? '').replaceAll('localhost:8080', host);
    expect(await runExample(source, { folder })).toBe(output);
  },
);
