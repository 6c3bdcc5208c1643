import { describe, expect, it } from 'vitest';
import { findBreaches, type PackageSources, type SourceImport } from './import-direction.js';
import { listSourceImports, readSpecifiers } from './source-imports.js';
import { listWorkspacePackages, type Manifest } from './workspace.js';

type Planted = Partial<Pick<Manifest, 'dependencies' | 'devDependencies'>> & {
  imports?: readonly SourceImport[];
};

const folders = [
  ...['contracts', 'postgres', 'egress', 'callbacks', 'eventstream', 'appsync-client'].map(
    (name) => `packages/${name}`,
  ),
  ...['apps/gateway', 'apps/worker', 'apps/standalone', 'tooling/testbed', 'tooling/tsconfig'],
];

/** Returns the breaches in a workspace that follows the rule except for what is planted in one folder. */
function breachesWith(folder: string, planted: Planted): string[] {
  const { imports = [], ...dependencies } = planted;
  const workspace = folders.map((each): PackageSources => {
    const manifest = { name: `@posthaste/${each.split('/')[1]}`, version: '0.1.0' };
    return each === folder
      ? { folder: each, manifest: { ...manifest, ...dependencies }, imports }
      : { folder: each, manifest, imports: [] };
  });
  return findBreaches(workspace);
}

/** Returns dependencies on these packages of the workspace. */
function on(...names: string[]): Record<string, string> {
  return Object.fromEntries(names.map((name) => [`@posthaste/${name}`, 'workspace:*']));
}

describe('the repository', () => {
  const workspace = listWorkspacePackages().map((member) => ({
    ...member,
    imports: listSourceImports(member.folder),
  }));

  it('follows the rule of who may import whom', () => {
    expect(findBreaches(workspace)).toEqual([]);
  });

  it('is read with its packages and their imports', () => {
    const callbacks = workspace.find(({ folder }) => folder === 'packages/callbacks');
    const specifiers = callbacks?.imports.map(({ specifier }) => specifier);
    expect(specifiers).toContain('@posthaste/contracts');
  });
});

describe('the rule', () => {
  it.each<[string, string[], string[]]>([
    ['packages/postgres', ['contracts'], ['testbed', 'egress', 'tsconfig']],
    ['packages/egress', ['contracts'], ['testbed']],
    ['packages/callbacks', ['contracts', 'postgres'], ['testbed', 'egress']],
    ['packages/appsync-client', ['contracts'], ['testbed']],
    ['apps/gateway', ['contracts', 'postgres', 'egress', 'callbacks'], ['testbed']],
    ['apps/standalone', ['callbacks', 'gateway', 'worker', 'testbed'], []],
    ['tooling/testbed', ['contracts', 'gateway'], []],
  ])('lets %s depend on %j, and in tests on %j', (folder, runtime, development) => {
    const planted = { dependencies: on(...runtime), devDependencies: on(...development) };
    expect(breachesWith(folder, planted)).toEqual([]);
  });

  it.each([
    ['packages/contracts', 'postgres', 'packages/postgres'],
    ['packages/postgres', 'egress', 'packages/egress'],
    ['packages/egress', 'postgres', 'packages/postgres'],
    ['packages/callbacks', 'eventstream', 'packages/eventstream'],
    ['packages/callbacks', 'egress', 'packages/egress'],
    ['packages/callbacks', 'gateway', 'apps/gateway'],
    ['packages/callbacks', 'testbed', 'tooling/testbed'],
    ['packages/appsync-client', 'postgres', 'packages/postgres'],
    ['apps/gateway', 'worker', 'apps/worker'],
    ['apps/worker', 'standalone', 'apps/standalone'],
    ['apps/worker', 'testbed', 'tooling/testbed'],
  ])('catches %s depending on %s', (folder, name, to) => {
    expect(breachesWith(folder, { dependencies: on(name) })).toEqual([
      `${folder}/package.json: ${folder} must not depend on ${to}`,
    ]);
  });

  it.each([
    ['packages/callbacks', 'eventstream', 'packages/eventstream'],
    ['packages/postgres', 'callbacks', 'packages/callbacks'],
    ['apps/gateway', 'worker', 'apps/worker'],
  ])('catches tests of %s depending on %s', (folder, name, to) => {
    expect(breachesWith(folder, { devDependencies: on(name) })).toEqual([
      `${folder}/package.json: ${folder} must not depend on ${to}`,
    ]);
  });

  it.each(['packages/new', 'apps/new'])('catches %s, which it does not know', (folder) => {
    const manifest = { name: '@posthaste/new', version: '0.1.0', dependencies: on('contracts') };
    const [unlisted] = findBreaches([{ folder, manifest, imports: [] }]);
    expect(unlisted).toMatch(`${folder}: the import rule does not know this package`);
    expect(unlisted).toContain('tooling/checks/src/import-direction.ts');
  });

  it('lets nothing be imported by a package that it does not know', () => {
    const names = ['contracts', 'new'];
    const workspace = names.map((name): PackageSources => {
      const manifest = { name: `@posthaste/${name}`, version: '0.1.0' };
      const dependencies = name === 'new' ? on('contracts') : {};
      return { folder: `packages/${name}`, manifest: { ...manifest, dependencies }, imports: [] };
    });
    expect(findBreaches(workspace)).toContain(
      'packages/new/package.json: packages/new must not depend on packages/contracts',
    );
  });

  it('catches a contracts package that depends on anything at all', () => {
    expect(breachesWith('packages/contracts', { dependencies: { uuid: '14.0.0' } })).toEqual([
      'packages/contracts/package.json: packages/contracts must not depend on uuid',
    ]);
  });

  it('catches an import that is declared for tests only, in a source file', () => {
    const planted: Planted = {
      devDependencies: { ...on('testbed'), 'fast-check': '4.10.2' },
      imports: [
        { file: 'src/store.ts', specifier: '@posthaste/testbed' },
        { file: 'src/store.ts', specifier: 'fast-check' },
        { file: 'src/store.test.ts', specifier: '@posthaste/testbed' },
        { file: 'test/database.ts', specifier: 'fast-check' },
      ],
    };
    expect(breachesWith('packages/callbacks', planted)).toEqual([
      'packages/callbacks/src/store.ts: @posthaste/testbed is not among its runtime dependencies',
      'packages/callbacks/src/store.ts: fast-check is not among its runtime dependencies',
    ]);
  });

  it('catches an import that is not declared', () => {
    const imports = [
      { file: 'src/a.test.ts', specifier: '@posthaste/eventstream/inner' },
      { file: 'src/b.ts', specifier: 'pg/lib/client' },
      { file: 'src/b.ts', specifier: '@posthaste/callbacks' },
      { file: 'src/b.ts', specifier: 'node:fs/promises' },
    ];
    expect(breachesWith('packages/callbacks', { imports })).toEqual([
      'packages/callbacks/src/a.test.ts: @posthaste/eventstream is not among its dependencies',
      'packages/callbacks/src/b.ts: pg is not among its runtime dependencies',
    ]);
  });

  it('catches a relative import that leaves its package', () => {
    const imports = [
      { file: 'src/a.ts', specifier: '../../postgres/src/index.js' },
      { file: 'src/routes/a.ts', specifier: '../../../../tooling/x.js' },
      { file: 'src/routes/a.test.ts', specifier: '../../test/database.js' },
      { file: 'src/a.ts', specifier: './b.js' },
    ];
    expect(breachesWith('packages/callbacks', { imports })).toEqual([
      'packages/callbacks/src/a.ts: ../../postgres/src/index.js leaves the package',
      'packages/callbacks/src/routes/a.ts: ../../../../tooling/x.js leaves the package',
    ]);
  });

  it("catches Node's own modules in a package for browsers", () => {
    const imports = [
      { file: 'src/a.ts', specifier: 'node:crypto' },
      { file: 'src/a.ts', specifier: 'fs' },
      { file: 'src/a.test.ts', specifier: 'node:crypto' },
    ];
    expect(breachesWith('packages/appsync-client', { imports })).toEqual([
      'packages/appsync-client/src/a.ts: node:crypto does not exist in browsers',
      'packages/appsync-client/src/a.ts: fs does not exist in browsers',
    ]);
  });
});

describe('readSpecifiers', () => {
  it('finds imports and exports of every form, and no others', () => {
    const source = `
      import 'a'; import b, { type B } from 'b'; import type { C } from 'c'; import * as d from 'd';
      export { e } from 'e'; export * from 'f'; export type { G } from 'g';
      const h = await import('h'); const i = await import(\`i\`); const j = await import('j' + h);
      // import 'comment';
      const text = "import 'string'"; export const k = 1;`;
    expect(readSpecifiers('a.ts', source).sort()).toEqual([...'abcdefghi']);
  });
});
