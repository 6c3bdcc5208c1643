import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { listWorkspacePackages, root } from './workspace.js';

/** Oldest Node on which published packages run. */
const oldest = [22, 19, 0] as const;

interface Manifest {
  readonly engines?: { readonly node?: string };
  readonly dependencies?: Readonly<Record<string, string>>;
}

function readManifest(folder: string): Manifest {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest;
}

/** True if a range such as `>= 22.19.0 || >= 24.6` allows the oldest supported Node. */
function allowsOldest(range: string): boolean {
  return range.split('||').some((part) => {
    const match = /^>=\s*(\d+)(?:\.(\d+))?(?:\.(\d+))?$/.exec(part.trim());
    const least = match?.slice(1).map((number = '0') => Number(number));
    if (!least) return false;
    const differing = least.findIndex((number, i) => number !== oldest[i]);
    return differing === -1 || (least[differing] ?? 0) < (oldest[differing] ?? 0);
  });
}

const published = listWorkspacePackages().filter(({ manifest }) => !manifest.private);

describe.each(published.map(({ folder }) => folder))('%s', (folder) => {
  const { engines, dependencies = {} } = readManifest(join(root, folder));

  it('needs the oldest supported Node, and no newer one', () => {
    expect(engines).toEqual({ node: '>=22.19' });
  });

  it.each(Object.keys(dependencies))('has the dependency %s, which runs on it', (name) => {
    const { node = '>=1' } = readManifest(join(root, folder, 'node_modules', name)).engines ?? {};
    expect(allowsOldest(node), `${name} needs ${node}`).toBe(true);
  });
});
