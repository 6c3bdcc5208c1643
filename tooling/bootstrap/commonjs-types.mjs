/**
 * Program that runs before a package is packed, in the folder of the package. It writes a `.d.cts`
 * beside each `.d.ts` of `dist`.
 *
 * The packages contain ES modules only, which `require` loads on every supported Node. But TypeScript
 * with `module: node16` accepts a `require` in a CommonJS file only if the types are those of a
 * CommonJS module, and decides that by the name of their file. So `exports` names these files for
 * `require`. They declare the same: only the names of the files that they import differ.
 */

import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Dependencies without types for CommonJS. Types alone may be imported from their ES modules. */
const modulesOnly = ['@platformatic/kafka'];

const dist = join(process.cwd(), 'dist');
for (const file of readdirSync(dist, { recursive: true, encoding: 'utf8' })) {
  if (!file.endsWith('.d.ts') || file.endsWith('.test.d.ts')) continue;
  const text = readFileSync(join(dist, file), 'utf8');
  writeFileSync(join(dist, file.replace(/\.d\.ts$/, '.d.cts')), toCommonJs(text));
}

function toCommonJs(text) {
  const relative = text
    .replaceAll(/(from '|import\(["'])(\.[^'"]*)\.js(["'])/g, '$1$2.cjs$3')
    .replaceAll(/^\/\/# sourceMappingURL=.*$/gm, '');
  return modulesOnly.reduce(
    (result, name) =>
      result.replaceAll(
        new RegExp(`^import (?:type )?\\{([^}]*)\\} from '${name}';$`, 'gm'),
        (_line, names) =>
          `import type {${names.replaceAll(/\btype /g, '')}} from '${name}' with { 'resolution-mode': 'import' };`,
      ),
    relative,
  );
}
