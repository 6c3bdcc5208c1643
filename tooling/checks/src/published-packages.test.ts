import { mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { checkPackage, createPackageFromTarballData, type Problem } from '@arethetypeswrong/core';
import { publint } from 'publint';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runBrowserBuild } from './packed-browser-build.js';
import {
  installPacked,
  outputOf,
  type PackedPackage,
  packPackage,
  run,
} from './packed-packages.js';
import { listWorkspacePackages, root } from './workspace.js';

const published = listWorkspacePackages().filter(({ manifest }) => !manifest.private);
const necessaryFiles = ['package.json', 'README.md', 'LICENSE', 'dist/index.js', 'dist/index.d.ts'];
/** Files that a tarball may hold: code with its maps, types, and the template of an embedded database. */
const publishedFile =
  /^(?:package\.json|README\.md|LICENSE|dist\/cluster-template\.tgz|dist\/(?!.*\.test\.).+\.(?:js|js\.map|d\.ts|d\.cts))$/;
const installTimeoutMs = 180_000;
const packed = new Map<string, PackedPackage>();
let scratch = '';
let project = '';

beforeAll(async () => {
  // The real path, because on macOS the temporary folder is a link, and compilers print its target.
  scratch = await realpath(await mkdtemp(join(tmpdir(), 'posthaste-packed-')));
  project = await mkdtemp(join(scratch, 'project-'));
  const members = await Promise.all(published.map((member) => packPackage(member, scratch)));
  for (const member of members) packed.set(member.manifest.name, member);
  await installPacked([...packed.values()], project, {
    '@types/node': await versionIn('tooling/checks', '@types/node'),
    // Optional peer dependencies.
    '@platformatic/kafka': await versionIn('packages/eventstream', '@platformatic/kafka'),
    react: await versionIn('packages/appsync-client', 'react'),
  });
}, installTimeoutMs);

afterAll(async () => {
  if (scratch) await rm(scratch, { recursive: true, force: true });
});

/** Returns the version of a dependency that is installed in a package of this repository. */
async function versionIn(folder: string, name: string): Promise<string> {
  const path = join(root, folder, 'node_modules', name, 'package.json');
  return (JSON.parse(await readFile(path, 'utf8')) as { version: string }).version;
}

async function readTarball(name: string): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await readFile(packed.get(name)?.tarball ?? ''));
}

/**
 * True for problems that are accepted. The packages contain ES modules only, and `require` loads them
 * on every supported Node. TypeScript with `module: node16` does not know that, so the types for
 * `require` are those of CommonJS although the code is not. Node 10, which does not know `exports`, is
 * not supported.
 */
function isExpected(problem: Problem): boolean {
  if (problem.kind === 'FalseCJS' || problem.kind === 'CJSResolvesToESM') return true;
  return 'resolutionKind' in problem && problem.resolutionKind === 'node10';
}

/** Returns the sorted names that a program in the project prints. */
async function exportedNames(program: string): Promise<string[]> {
  const stdout = await run(process.execPath, ['--input-type=module', '--eval', program], project);
  return JSON.parse(stdout) as string[];
}

interface SourceMap {
  readonly sourcesContent?: readonly unknown[];
}

describe.each(published.map(({ manifest }) => manifest.name))('%s, packed', (name) => {
  it('contains the necessary files and nothing else', async () => {
    const files = createPackageFromTarballData(await readTarball(name)).listFiles();
    const prefix = `/node_modules/${name}/`;
    const inside = files.map((file) => file.slice(prefix.length));
    expect(necessaryFiles.filter((file) => !inside.includes(file))).toEqual([]);
    expect(inside.filter((file) => !publishedFile.test(file))).toEqual([]);
  });

  it('has source maps that contain the sources', async () => {
    const contents = createPackageFromTarballData(await readTarball(name));
    const maps = contents.listFiles().filter((file) => file.endsWith('.map'));
    expect(maps).not.toEqual([]);
    const withoutSources = maps.filter((file) => {
      const { sourcesContent } = JSON.parse(contents.readFile(file)) as SourceMap;
      return !sourcesContent?.every((source) => typeof source === 'string');
    });
    expect(withoutSources).toEqual([]);
  });

  it('passes publint', async () => {
    const { buffer: tarball } = await readTarball(name);
    const { messages } = await publint({ pack: { tarball }, level: 'warning' });
    expect(messages).toEqual([]);
  });

  it('has types that resolve for every kind of consumer', async () => {
    const result = await checkPackage(createPackageFromTarballData(await readTarball(name)));
    expect(result.types).toBeTruthy();
    const problems = 'problems' in result ? result.problems : [];
    expect(problems.filter((problem) => !isExpected(problem))).toEqual([]);
  });
});

/** Entry points of all packages: `@posthaste/eventstream/kafka`. */
const entryPoints = published.flatMap(({ manifest }) =>
  Object.keys(manifest.exports ?? {})
    .filter((path) => path !== './package.json')
    .map((path) => manifest.name + path.slice(1)),
);

it.each(entryPoints)(
  '%s can be imported and required in another project, with the same exports',
  async (name) => {
    const print = 'console.log(JSON.stringify(Object.keys(entry).sort()))';
    const imported = await exportedNames(`import * as entry from '${name}'; ${print}`);
    const required = await exportedNames(
      `import { createRequire } from 'node:module';
       const entry = createRequire(process.cwd() + '/index.js')('${name}'); ${print}`,
    );
    expect(imported).not.toEqual([]);
    expect(required.filter((key) => key !== '__esModule')).toEqual(imported);
  },
);

it('the realtime client, packed, runs in a page that has nothing of Node', async () => {
  const { script, output } = await runBrowserBuild(project);
  expect(output).toBe('"from the page"\n');
  expect(gzipSync(script).length).toBeLessThan(10_240);
});

/** Returns the compiler's errors about `files` in the project, except those about third parties. */
async function compile(files: readonly string[], module: 'node16' | 'nodenext'): Promise<string[]> {
  const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  const options = ['--strict', '--noEmit', '--target', 'es2024', '--module', module];
  const args = [compiler, ...options, '--types', 'node', '--pretty', 'false', ...files];
  const output = await run(process.execPath, args, project).catch(outputOf);
  return output.split('\n').filter((line) => line !== '' && !isThirdParty(line));
}

/** True for errors in declarations of third parties, which users skip (`skipLibCheck`). */
function isThirdParty(line: string): boolean {
  // An indented line continues the error above it.
  return (
    /^\s/.test(line) || /^node_modules\/(?!.*node_modules\/@posthaste\/)(?!@posthaste\/)/.test(line)
  );
}

it.each(['nodenext', 'node16'] as const)(
  'types of all packages compile with module: %s in an ES module and in CommonJS of another project',
  async (module) => {
    const lines = entryPoints.map((path, i) => `export * as entry${i} from '${path}';\n`);
    // In one run of the compiler, because most of its time goes to what both import.
    const files = ['consumer.mts', 'consumer.cts'];
    for (const file of files) await writeFile(join(project, file), lines.join(''));
    expect(await compile(files, module)).toEqual([]);
  },
  installTimeoutMs,
);

it(
  'values and types of a package can be used in CommonJS with module: node16',
  async () => {
    const program = `
    import { createEnvelope, type ErrorCode, PlatformError } from '@posthaste/contracts';
    const code: ErrorCode = new PlatformError('STOPPING', 'now').code;
    const envelope = createEnvelope({ name: 'order.placed', namespace: 'shop', payload: {} });
    console.log(code, envelope.name);`;
    await writeFile(join(project, 'program.cts'), program);
    expect(await compile(['program.cts'], 'node16')).toEqual([]);
  },
  installTimeoutMs,
);
