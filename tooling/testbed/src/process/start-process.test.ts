import { afterEach, describe, expect, it } from 'vitest';
import { freePort } from '../free-port.js';
import { waitUntilGone } from './process-tree.js';
import { type ProcessOptions, type RunningProcess, startProcess } from './start-process.js';

const running: RunningProcess[] = [];

async function start(
  program: string,
  options: Partial<ProcessOptions> = {},
): Promise<RunningProcess> {
  const started = await startProcess({ args: ['-e', program], ...options });
  running.push(started);
  return started;
}

afterEach(async () => {
  await Promise.all(running.splice(0).map((each) => each.close()));
});

const forever = 'setInterval(() => undefined, 1_000);';

describe('startProcess', () => {
  it('is ready when a line of its output matches', async () => {
    const started = await start(`setTimeout(() => console.log('up on 7'), 50); ${forever}`, {
      ready: /up on/,
    });
    expect((await started.waitForLine(/up on (\d)/))[1]).toBe('7');
    expect(started.exit).toBeUndefined();
  });

  it('is ready when a URL responds with success', async () => {
    const port = await freePort();
    const url = new URL(`http://127.0.0.1:${port}/ready`);
    await start(
      `const since = Date.now();
       require('node:http').createServer((_, response) => {
         response.writeHead(Date.now() - since > 100 ? 200 : 503).end();
       }).listen(${port}, '127.0.0.1');`,
      { ready: url },
    );
    expect((await fetch(url)).status).toBe(200);
  });

  it('fails with the output of a process that ends before it is ready', async () => {
    const failed = start(`console.error('bad setting'); process.exit(78)`, { ready: /up/ });
    await expect(failed).rejects.toThrow(/ended before a line matched \/up\/[\s\S]*bad setting/);
  });

  it('ends a process that is not ready in time', async () => {
    const failed = start(`console.log(process.pid); ${forever}`, {
      ready: /up/,
      readyTimeoutMs: 300,
    });
    const error = await failed.catch((cause: Error) => cause);
    expect(error).toBeInstanceOf(Error);
    const pid = /output:\n(\d+)/.exec(String(error))?.[1];
    await waitUntilGone(Number(pid));
  });

  it('rejects for a program that does not exist', async () => {
    await expect(start('', { command: '/no/such/program' })).rejects.toMatchObject({
      code: 'ENOENT',
    });
  });

  it('passes on the given environment and little else', async () => {
    process.env.LEAKED = 'yes';
    const started = await start('console.log(JSON.stringify(process.env))', {
      env: { GIVEN: 'yes' },
    });
    await started.exited;
    delete process.env.LEAKED;
    const env: unknown = JSON.parse(started.output);
    expect(env).toMatchObject({ GIVEN: 'yes', PATH: process.env.PATH });
    expect(env).not.toHaveProperty('LEAKED');
  });

  it('terminates a process, and kills it if that takes too long', async () => {
    const orderly = await start(
      `process.on('SIGTERM', () => process.exit(3)); console.log('up'); ${forever}`,
      { ready: /up/ },
    );
    expect(await orderly.terminate()).toEqual({ code: 3, signal: null });
    const stubborn = await start(`process.on('SIGTERM', () => 0); console.log('up'); ${forever}`, {
      ready: /up/,
    });
    expect(await stubborn.terminate(100)).toEqual({ code: null, signal: 'SIGKILL' });
  });

  it('freezes and continues a process', async () => {
    const started = await start(`setInterval(() => console.log(Date.now()), 5);`, { ready: /\d/ });
    await started.pause();
    await new Promise((resolve) => setTimeout(resolve, 50));
    const frozen = started.output;
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(started.output).toBe(frozen);
    await started.resume();
    await expect.poll(() => started.output.length).toBeGreaterThan(frozen.length);
  });

  it('kills a frozen process and its children', async () => {
    const started = await start(
      `const { pid } = require('node:child_process').spawn('sleep', ['60']); console.log('child', pid); ${forever}`,
      { ready: /child/ },
    );
    const child = Number((await started.waitForLine(/child (\d+)/))[1]);
    await started.pause();
    expect(await started.kill()).toEqual({ code: null, signal: 'SIGKILL' });
    await waitUntilGone(child);
  });
});
