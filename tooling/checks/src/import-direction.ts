/**
 * Who may import whom. `contracts` imports nothing; `postgres` and `egress` import `contracts`;
 * every other package imports `contracts` and `postgres`, and a package for browsers only
 * `contracts`; apps import packages, and the standalone app also the other two. Domain packages
 * never import one another, and nothing imports an app from below. Tests may use more, as
 * development dependencies.
 */

import { builtinModules } from 'node:module';
import { posix } from 'node:path';
import type { WorkspacePackage } from './workspace.js';

/** One import in a source file. */
export interface SourceImport {
  /** From the package's folder, with forward slashes: `src/index.ts`. */
  readonly file: string;
  /** What stands in the quotes. */
  readonly specifier: string;
}

/** A package with the imports of its sources. */
export interface PackageSources extends WorkspacePackage {
  readonly imports: readonly SourceImport[];
}

/** Packages that run in browsers too, where Node's modules do not exist. */
const browserFolders: ReadonlySet<string> = new Set([
  'packages/contracts',
  'packages/appsync-client',
]);

/** Packages that may use less than the others of their group. */
const narrowed: Readonly<Record<string, readonly string[]>> = {
  'packages/contracts': [],
  'packages/postgres': ['packages/contracts'],
  'packages/egress': ['packages/contracts'],
  'packages/appsync-client': ['packages/contracts'],
};

/** The demo of the standalone app needs a receiver, so it may use the testbed at runtime. */
const widened: Readonly<Record<string, readonly string[]>> = {
  'apps/standalone': ['apps/gateway', 'apps/worker', 'tooling/testbed'],
};

const forEveryPackage = ['packages/contracts', 'packages/postgres'];
const forTests = ['packages/egress', 'tooling/testbed', 'tooling/tsconfig'];
const testFile = /(?:^test\/|\.(?:test|bench)\.tsx?$)/;
const builtins: ReadonlySet<string> = new Set(builtinModules);

/** Every breach of the rule, a line each; none when all is well. */
export function findBreaches(workspace: readonly PackageSources[]): string[] {
  const folderOf = new Map(workspace.map(({ folder, manifest }) => [manifest.name, folder]));
  return workspace.flatMap((member) => [
    ...findDependencyBreaches(member, folderOf),
    ...findImportBreaches(member),
  ]);
}

/** Whether the rule lets sources in `from` (a folder, like `to`) import `to`. */
function mayUse(from: string, to: string, inTests: boolean): boolean {
  // What serves development is free to look at everything.
  if (from.startsWith('tooling/')) return true;
  if (inTests && forTests.includes(to)) return true;
  if (widened[from]?.includes(to)) return true;
  if (from.startsWith('apps/')) return to.startsWith('packages/');
  return (narrowed[from] ?? forEveryPackage).includes(to);
}

function findDependencyBreaches(
  { folder, manifest }: PackageSources,
  folderOf: ReadonlyMap<string, string>,
): string[] {
  const runtime = runtimeDependencies({ folder, manifest });
  const development = Object.keys(manifest.devDependencies ?? {});
  const breach = (name: string, inTests: boolean): string | undefined => {
    const to = folderOf.get(name);
    if (to === undefined || mayUse(folder, to, inTests)) return undefined;
    return `${folder}/package.json: ${folder} must not depend on ${to}`;
  };
  const foreign =
    folder === 'packages/contracts' ? runtime.filter((name) => !folderOf.has(name)) : [];
  return [
    ...runtime.map((name) => breach(name, false)),
    ...development.map((name) => breach(name, true)),
    ...foreign.map(
      (name) => `${folder}/package.json: ${folder} depends on nothing, not on ${name}`,
    ),
  ].filter((line) => line !== undefined);
}

function findImportBreaches(member: PackageSources): string[] {
  const { folder, manifest, imports } = member;
  const runtime = new Set([manifest.name, ...runtimeDependencies(member)]);
  const development = new Set(Object.keys(manifest.devDependencies ?? {}));
  return imports.flatMap(({ file, specifier }) => {
    const where = `${folder}/${file}`;
    if (specifier.startsWith('.')) {
      return leavesPackage(file, specifier) ? [`${where}: ${specifier} leaves the package`] : [];
    }
    const inTests = testFile.test(file);
    const name = packageNameOf(specifier);
    if (specifier.startsWith('node:') || builtins.has(name)) {
      const forbidden = browserFolders.has(folder) && !inTests;
      return forbidden ? [`${where}: ${specifier} does not exist in browsers`] : [];
    }
    if (runtime.has(name) || (inTests && development.has(name))) return [];
    return [`${where}: ${name} is not among its ${inTests ? '' : 'runtime '}dependencies`];
  });
}

function runtimeDependencies({ manifest }: WorkspacePackage): string[] {
  const { dependencies, peerDependencies, optionalDependencies } = manifest;
  return Object.keys({ ...dependencies, ...peerDependencies, ...optionalDependencies });
}

function leavesPackage(file: string, specifier: string): boolean {
  return posix.join(posix.dirname(file), specifier).startsWith('..');
}

/** `@scope/name/path` and `name/path` without the path. */
function packageNameOf(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
}
