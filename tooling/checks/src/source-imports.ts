import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, posix, sep } from 'node:path';
import { parseSync } from 'oxc-parser';
import type { SourceImport } from './import-direction.js';
import { root } from './workspace.js';

const sourceFolders = ['src', 'test'];
const sourceFile = /\.[cm]?[jt]sx?$/;

/** Returns every import in the sources and tests of a package. */
export function listSourceImports(folder: string): SourceImport[] {
  return sourceFolders
    .flatMap((name) => listSourceFiles(folder, name))
    .flatMap((file) =>
      readSpecifiers(file, readFileSync(join(root, folder, file), 'utf8')).map((specifier) => ({
        file,
        specifier,
      })),
    );
}

/**
 * Returns the source files of a package below one of its folders (`src`, `test`), sorted, as paths
 * from the package's folder with forward slashes. Returns an empty list if there is no such folder.
 */
export function listSourceFiles(folder: string, name: string): string[] {
  const path = join(root, folder, name);
  if (!existsSync(path)) return [];
  return readdirSync(path, { recursive: true, encoding: 'utf8' })
    .filter((file) => sourceFile.test(file))
    .sort()
    .map((file) => posix.join(name, file.replaceAll(sep, posix.sep)));
}

/**
 * Returns the specifiers that a file imports: static and dynamic imports, exports from other files,
 * and types. The file is parsed, because tests contain the text of other programs in strings.
 */
export function readSpecifiers(file: string, source: string): string[] {
  const { module, errors } = parseSync(file, source);
  if (errors.length > 0) throw new SyntaxError(`${file}: ${errors[0]?.message}`);
  const exported = module.staticExports.flatMap(({ entries }) =>
    entries.flatMap(({ moduleRequest }) => moduleRequest?.value ?? []),
  );
  const dynamic = module.dynamicImports
    .map(({ moduleRequest }) => source.slice(moduleRequest.start, moduleRequest.end))
    // Only a literal can be checked; an expression can be anything.
    .filter((expression) => /^(['"`])[^'"`$]*\1$/.test(expression))
    .map((literal) => literal.slice(1, -1));
  const imported = module.staticImports.map(({ moduleRequest }) => moduleRequest.value);
  return [...new Set([...imported, ...exported, ...dynamic])];
}
