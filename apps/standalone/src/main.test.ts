import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { createProgram } from './program.js';

const appsFolder = new URL('../../', import.meta.url);

/** Runs the program of an app on a Node that says it has this version. */
function runOn(version: string, app: string): Promise<{ code: number; stderr: string }> {
  const claim = `Object.defineProperty(process, 'version', { value: 'v${version}' });
    Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '${version}' } });`;
  const main = fileURLToPath(new URL(`${app}/dist/main.js`, appsFolder));
  const args = ['--import', `data:text/javascript,${encodeURIComponent(claim)}`, main, '--help'];
  return new Promise((resolve) => {
    execFile(process.execPath, args, { env: {} }, (error, _stdout, stderr) =>
      resolve({ code: error ? Number(error.code) : 0, stderr }),
    );
  });
}

describe.each(['standalone', 'gateway', 'worker'])('%s on a Node that is too old', (app) => {
  it('says so in one line', async () => {
    const { code, stderr } = await runOn('22.19.0', app);
    expect(code).toBe(69);
    expect(stderr).toMatch(/^Posthaste needs Node 24 or newer, and this is v22\.19\.0 \(.+\)\.\n$/);
  });

  it('needs the version that its package.json names', () => {
    const manifest = readFileSync(new URL(`${app}/package.json`, appsFolder), 'utf8');
    expect((JSON.parse(manifest) as { engines: object }).engines).toEqual({ node: '>=24' });
  });
});

/** Returns the commands that do something, by their whole names. */
function leavesOf(command: Command, path: readonly string[] = []): [string, Command][] {
  const here = [...path, command.name()];
  if (command.commands.length === 0) return [[here.join(' '), command]];
  return command.commands.flatMap((each) => leavesOf(each, here));
}

describe('every command', () => {
  const services = new Set(['posthaste start', 'posthaste gateway', 'posthaste worker']);
  const printing = leavesOf(createProgram()).filter(([name]) => !services.has(name));

  it.each(printing)('%s takes -o json', (_name, command) => {
    expect(command.options.map(({ flags }) => flags)).toContain('-o, --output <format>');
  });
});
