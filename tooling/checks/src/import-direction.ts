/**
 * The rule of who may import whom. `importsOf` lists every package and every app with the packages
 * that its sources may import; a package that is not listed breaks the rule. `contracts` imports
 * nothing, domain packages never import one another, and nothing imports an app from below. Tests may
 * use more, as development dependencies.
 */

import { builtinModules } from 'node:module';
import { posix } from 'node:path';
import type { WorkspacePackage } from './workspace.js';

/** One import in a source file. */
export interface SourceImport {
  /** Path from the package's folder, with forward slashes: `src/index.ts`. */
  readonly file: string;
  /** Text between the quotes. */
  readonly specifier: string;
}

/** A package with the imports of its sources. */
export interface PackageSources extends WorkspacePackage {
  readonly imports: readonly SourceImport[];
}

const contracts = 'packages/contracts';
const postgres = 'packages/postgres';
/** Stands for everything in `packages/`: what an app may import. */
const everyPackage = 'packages/*';

/**
 * The packages that the sources of each package and app may import. Packages that are planned are
 * listed too, so that they start under the rule.
 */
const importsOf: Readonly<Record<string, readonly string[]>> = {
  [contracts]: [],
  [postgres]: [contracts],
  'packages/egress': [contracts],
  'packages/settings': [contracts],
  'packages/service': [contracts],
  'packages/access': [contracts, postgres],
  'packages/callbacks': [contracts, postgres],
  'packages/eventstream': [contracts, postgres],
  'packages/courier-core': [contracts, postgres],
  'packages/courier-handlers': [contracts, postgres, 'packages/courier-core'],
  'packages/appsync-client': [contracts],
  'packages/appsync-server': [contracts, postgres],
  'packages/arc-rpc': [contracts, postgres],
  'apps/gateway': [everyPackage],
  'apps/worker': [everyPackage],
  'apps/dashboard': [contracts, 'packages/appsync-client'],
  // Its demo starts a receiver, so it uses the testbed at runtime.
  'apps/standalone': [everyPackage, 'apps/gateway', 'apps/worker', 'tooling/testbed'],
};

/** Packages that also run in browsers, which lack Node's modules. */
const browserFolders: ReadonlySet<string> = new Set([contracts, 'packages/appsync-client']);

const forTests = ['packages/egress', 'tooling/testbed', 'tooling/tsconfig'];
const testFile = /(?:^test\/|\.(?:test|bench)\.tsx?$)/;
const builtins: ReadonlySet<string> = new Set(builtinModules);

/** Returns every breach of the rule, one line each; an empty list if there is none. */
export function findBreaches(workspace: readonly PackageSources[]): string[] {
  const folderOf = new Map(workspace.map(({ folder, manifest }) => [manifest.name, folder]));
  return workspace.flatMap((member) => [
    ...findUnlisted(member),
    ...findDependencyBreaches(member, folderOf),
    ...findImportBreaches(member),
  ]);
}

function findUnlisted({ folder }: PackageSources): string[] {
  if (isTooling(folder) || Object.hasOwn(importsOf, folder)) return [];
  return [
    `${folder}: the import rule does not know this package; add it to \`importsOf\` in tooling/checks/src/import-direction.ts, with the packages that it may import`,
  ];
}

/** True if the rule lets sources in the folder `from` import the package in the folder `to`. */
function mayImport(from: string, to: string, inTests: boolean): boolean {
  if (isTooling(from)) return true;
  if (inTests && forTests.includes(to)) return true;
  const allowed = importsOf[from] ?? [];
  return allowed.includes(to) || (to.startsWith('packages/') && allowed.includes(everyPackage));
}

/** True for packages that serve development: they may import everything. */
function isTooling(folder: string): boolean {
  return folder.startsWith('tooling/');
}

function findDependencyBreaches(
  { folder, manifest }: PackageSources,
  folderOf: ReadonlyMap<string, string>,
): string[] {
  const runtime = runtimeDependencies({ folder, manifest });
  const development = Object.keys(manifest.devDependencies ?? {});
  const breach = (name: string, inTests: boolean): string | undefined => {
    const to = folderOf.get(name);
    if (to === undefined || mayImport(folder, to, inTests)) return undefined;
    return `${folder}/package.json: ${folder} must not depend on ${to}`;
  };
  const thirdParty = folder === contracts ? runtime.filter((name) => !folderOf.has(name)) : [];
  return [
    ...runtime.map((name) => breach(name, false)),
    ...development.map((name) => breach(name, true)),
    ...thirdParty.map((name) => `${folder}/package.json: ${folder} must not depend on ${name}`),
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

/** Returns `@scope/name/path` or `name/path` without the path. */
function packageNameOf(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
}
