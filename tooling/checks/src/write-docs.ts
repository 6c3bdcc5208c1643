/** `npm run docs`: writes every generated document of the repository. */

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { generatedDocuments } from './generated-documents.js';
import { root } from './workspace.js';

for (const { path, render } of generatedDocuments) {
  await writeFile(join(root, path), await render());
  console.info(`wrote ${path}`);
}
