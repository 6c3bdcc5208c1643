import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { listWorkspacePackages, root } from './workspace.js';

/** A changeset: released packages with the kind of their release, and a text for their users. */
const changeset = /^---\n\n?((?:"[^"\n]+": (?:major|minor|patch)\n)+)---\n\n\S/;

const published = new Set(
  listWorkspacePackages()
    .filter(({ manifest }) => manifest.private !== true)
    .map(({ manifest }) => manifest.name),
);
const files = globSync('.changeset/*.md', { cwd: root });

// A release fails on one that cannot be read, long after it was written.
it.each(files)('%s can be released', (file) => {
  const [, packages = ''] = changeset.exec(readFileSync(join(root, file), 'utf8')) ?? [];
  const names = [...packages.matchAll(/^"(.+)":/gm)].map(([, name]) => name);
  expect(names).not.toEqual([]);
  expect(names.filter((name) => name === undefined || !published.has(name))).toEqual([]);
});
