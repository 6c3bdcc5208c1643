import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Part of a package.json that the checks need. */
export interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly private?: boolean;
  readonly exports?: Readonly<Record<string, unknown>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

/** A package of this repository. */
export interface WorkspacePackage {
  /** Path from the root, with forward slashes: `packages/contracts`. */
  readonly folder: string;
  readonly manifest: Manifest;
}

/** Root of the repository. The sources and their build are equally deep below it. */
export const root: string = join(import.meta.dirname, '..', '..', '..');

const groups = ['apps', 'packages', 'tooling'] as const;

/** Returns every package of the repository, sorted by folder. */
export function listWorkspacePackages(): WorkspacePackage[] {
  return groups
    .flatMap((group) => readdirSync(join(root, group)).map((name) => `${group}/${name}`))
    .sort()
    .filter((folder) => existsSync(join(root, folder, 'package.json')))
    .map((folder) => ({ folder, manifest: readManifest(folder) }));
}

function readManifest(folder: string): Manifest {
  return JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8')) as Manifest;
}
