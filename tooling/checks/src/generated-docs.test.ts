import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { generatedDocuments } from './generated-documents.js';
import { root } from './workspace.js';

it.each(generatedDocuments)('$path matches the sources', async ({ path, render }) => {
  const committed = await readFile(join(root, path), 'utf8').catch(() => 'no such file');
  expect(committed, `${path} is stale: run npm run docs and commit it`).toBe(await render());
});
