import { execFile } from 'node:child_process';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { root, type WorkspacePackage } from './workspace.js';

const execute = promisify(execFile);

/** Package packed as it would be published. */
export interface PackedPackage extends WorkspacePackage {
  /** Path of the tarball. */
  readonly tarball: string;
}

/** Error of a program that exited with another code than 0. */
class ProgramFailed extends Error {
  constructor(
    command: string,
    readonly output: string,
  ) {
    super(`${command} failed:\n${output}`);
    this.name = 'ProgramFailed';
  }
}

/**
 * Runs a program to its end, and resolves to its stdout.
 * @throws ProgramFailed with its complete output
 */
export async function run(program: string, args: readonly string[], cwd: string): Promise<string> {
  try {
    const { stdout } = await execute(program, args, { cwd, maxBuffer: 64 * 1024 * 1024 });
    return stdout;
  } catch (error) {
    const { stdout, stderr, message } = error as Error & { stdout?: string; stderr?: string };
    const output = `${stdout ?? ''}${stderr ?? ''}`;
    throw new ProgramFailed([program, ...args].join(' '), output || message);
  }
}

/** Returns the output of a program that failed in `run`; throws any other error again. */
export function outputOf(error: unknown): string {
  if (error instanceof ProgramFailed) return error.output;
  throw error;
}

/** Runs the pinned pnpm, which the bootstrap puts on the PATH. */
function pnpm(args: readonly string[], cwd: string): Promise<string> {
  return run('pnpm', args, cwd);
}

/** Packs one package into `folder`, which must not contain a tarball of it yet. */
export async function packPackage(
  member: WorkspacePackage,
  folder: string,
): Promise<PackedPackage> {
  const destination = join(folder, member.folder);
  await mkdir(destination, { recursive: true });
  await pnpm(['pack', '--pack-destination', destination], join(root, member.folder));
  const [file] = await readdir(destination);
  if (file === undefined) throw new Error(`pnpm pack wrote no tarball of ${member.folder}`);
  return { ...member, tarball: join(destination, file) };
}

/**
 * Makes `folder` the project of a user who has installed the packages: each from its tarball, and
 * their dependencies from the registry.
 * @param devDependencies versions by name
 */
export async function installPacked(
  packages: readonly PackedPackage[],
  folder: string,
  devDependencies: Readonly<Record<string, string>>,
): Promise<void> {
  const tarballs = Object.fromEntries(
    packages.map(({ manifest, tarball }) => [manifest.name, `file:${tarball}`]),
  );
  const manifest = { private: true, type: 'module', dependencies: tarballs, devDependencies };
  await writeFile(join(folder, 'package.json'), JSON.stringify(manifest));
  // JSON is valid YAML. The packages depend on one another, and these also come from tarballs.
  await writeFile(join(folder, 'pnpm-workspace.yaml'), JSON.stringify({ overrides: tarballs }));
  const flags = ['--prefer-offline', '--ignore-scripts', '--no-frozen-lockfile'];
  await pnpm(['install', ...flags], folder);
}
