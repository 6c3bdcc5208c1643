import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, posix, sep } from 'node:path';
import { parseSync } from 'oxc-parser';
import type { SourceImport } from './import-direction.js';
import { root } from './workspace.js';

const sourceFolders = ['src', 'test'];
const sourceFile = /\.[cm]?[jt]sx?$/;

/** Every import in the sources and tests of a package. */
export function listSourceImports(folder: string): SourceImport[] {
  return sourceFolders
    .map((name) => join(root, folder, name))
    .filter((path) => existsSync(path))
    .flatMap((path) => listSourceFiles(path))
    .flatMap((path) => {
      const file = path.slice(join(root, folder).length + 1).replaceAll(sep, posix.sep);
      return readSpecifiers(file, readFileSync(path, 'utf8')).map((specifier) => ({
        file,
        specifier,
      }));
    });
}

function listSourceFiles(path: string): string[] {
  return readdirSync(path, { recursive: true, encoding: 'utf8' })
    .filter((name) => sourceFile.test(name))
    .sort()
    .map((name) => join(path, name));
}

/**
 * What a file imports: static and dynamic imports, exports from elsewhere, types too. Parsed,
 * because tests carry the text of other programs inside of strings.
 */
export function readSpecifiers(file: string, source: string): string[] {
  const { module, errors } = parseSync(file, source);
  if (errors.length > 0) throw new SyntaxError(`${file}: ${errors[0]?.message}`);
  const exported = module.staticExports.flatMap(({ entries }) =>
    entries.flatMap(({ moduleRequest }) => moduleRequest?.value ?? []),
  );
  const dynamic = module.dynamicImports
    .map(({ moduleRequest }) => source.slice(moduleRequest.start, moduleRequest.end))
    // An expression can be anything; a literal can be judged.
    .filter((expression) => /^(['"`])[^'"`$]*\1$/.test(expression))
    .map((literal) => literal.slice(1, -1));
  const imported = module.staticImports.map(({ moduleRequest }) => moduleRequest.value);
  return [...new Set([...imported, ...exported, ...dynamic])];
}
