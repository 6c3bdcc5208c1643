import { mkdtemp, readdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { readExamples, runExample } from './examples.js';

const folder = join(import.meta.dirname, '..');

it('finds the code blocks of a language, and those that name none', async () => {
  const file = join(await mkdtemp(join(tmpdir(), 'examples-')), 'README.md');
  await writeFile(
    file,
    '# A\n\n```ts\n1;\n2;\n```\n\ntext\n\n```\nnpm start\n```\n\n```ts\n3;\n```\n',
  );
  expect(await readExamples(file, 'ts')).toEqual(['1;\n2;\n', '3;\n']);
  expect(await readExamples(file, '')).toEqual(['npm start\n']);
  expect(await readExamples(file, 'json')).toEqual([]);
});

it('runs an example with the imports of its package, and leaves nothing behind', async () => {
  const source = `import { freePort } from '@posthaste/testbed';
    console.log(typeof freePort, process.env.COLOUR satisfies string | undefined);`;
  const env = { COLOUR: 'blue' };
  expect(await runExample(source, { folder, env })).toBe('function blue\n');
  const left = (await readdir(join(folder, 'dist'))).filter((name) => name.startsWith('example-'));
  expect(left).toEqual([]);
});

it('fails with an example that throws, or writes a warning', async () => {
  await expect(runExample('throw new Error("broken");', { folder })).rejects.toThrow('broken');
  await expect(runExample('console.error("warned");', { folder })).rejects.toThrow('warned');
});
