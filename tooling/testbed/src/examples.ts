import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Options of `runExample`. */
export interface ExampleOptions {
  /** Folder of a package that is built. Imports of the example resolve as those of its files. */
  readonly folder: string;
  /** Variables besides those of this process. */
  readonly env?: Readonly<Record<string, string>>;
  /** Longest time, in ms. Default 120,000. */
  readonly timeoutMs?: number;
}

/**
 * Returns the code blocks of a Markdown file that are in a language, such as `ts`, in their order. An
 * empty language stands for blocks that name none.
 */
export async function readExamples(file: string, language: string): Promise<string[]> {
  const text = await readFile(file, 'utf8');
  // Every block is matched, so that the end of one is not taken for the start of another.
  return [...text.matchAll(/^```(\w*)\n(.*?)^```$/gms)]
    .filter(([, named]) => named === language)
    .map(([, , source]) => source ?? '');
}

/**
 * Runs a TypeScript example as a process of its own, to its end. Resolves to its output.
 * @throws Error if it fails, takes too long, or writes to stderr
 */
export async function runExample(source: string, options: ExampleOptions): Promise<string> {
  const { folder, timeoutMs = 120_000 } = options;
  const scratch = await mkdtemp(join(folder, 'dist', 'example-'));
  try {
    const file = join(scratch, 'example.ts');
    await writeFile(file, source);
    const env = { ...process.env, ...options.env };
    const { stdout, stderr } = await run(process.execPath, [file], { env, timeout: timeoutMs });
    if (stderr !== '') throw new Error(`the example has written to stderr: ${stderr}`);
    return stdout;
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}
