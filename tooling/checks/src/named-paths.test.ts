import { existsSync, globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { namedPaths } from './named-paths.js';
import { root } from './workspace.js';

const pages = globSync(['*.md', 'docs/**/*.md', '{apps,packages,tooling}/*/README.md'], {
  cwd: root,
}).map((page) => page.replaceAll('\\', '/'));

describe('the pages of the repository', () => {
  it('are found', () => {
    expect(pages).toContain('README.md');
    expect(pages).toContain('docs/errors.md');
  });

  it.each(pages)('%s names only paths that exist', (page) => {
    const paths = namedPaths(page, readFileSync(join(root, page), 'utf8'));
    expect(paths.filter((path) => !existsSync(join(root, path)))).toEqual([]);
  });
});

describe('namedPaths', () => {
  it('finds paths in inline code, alone and in commands', () => {
    const text = 'Read `packages/egress/src/dial.ts`, then `npm test -- apps/gateway`.';
    expect(namedPaths('README.md', text)).toEqual(['packages/egress/src/dial.ts', 'apps/gateway']);
  });

  it('finds links, relative to the page', () => {
    const text = '[a](../packages/egress/README.md#options) and ![b](decisions/0001.md "title")';
    expect(namedPaths('docs/architecture.md', text)).toEqual([
      'packages/egress/README.md',
      'docs/decisions/0001.md',
    ]);
  });

  it('leaves out patterns, build outputs, addresses and anchors', () => {
    const text =
      '`packages/*/src`, `apps/<name>`, `apps/worker/dist/main.js`, [a](https://b.test/docs/c), [d](#e)';
    expect(namedPaths('README.md', text)).toEqual([]);
  });

  it('names each path once', () => {
    expect(namedPaths('README.md', '`docs/errors.md` and [errors](docs/errors.md)')).toEqual([
      'docs/errors.md',
    ]);
  });
});
