import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type RunningProcess, startProcess } from '@posthaste/testbed';
import { describe, expect, it, onTestFinished } from 'vitest';

const program = fileURLToPath(new URL('../test/example-service.ts', import.meta.url));

async function run(options: readonly string[] = [], ready?: RegExp): Promise<RunningProcess> {
  const args = [program, ...options];
  const running = await startProcess({ args, ...(ready ? { ready } : {}) });
  onTestFinished(() => running.close());
  return running;
}

/** Expects texts in any order: an asynchronous logger writes its last lines at the exit. */
function expectLogged({ output }: RunningProcess, ...texts: readonly string[]): void {
  for (const text of texts) expect(output).toContain(text);
}

describe('a service', () => {
  it.each(['SIGTERM', 'SIGINT'] as const)('closes on %s and exits with 0', async (signal) => {
    const service = await run(['--limit-ms', '1234'], /"started"/);
    process.kill(service.pid, signal);
    expect(await service.exited).toEqual({ code: 0, signal: null });
    expectLogged(service, '"limitMs":1234', 'closed', 'the example has stopped');
  });

  it('stops after its start when the signal comes while it starts', async () => {
    const service = await run(['--start-ms', '500'], /"starting"/);
    expect(await service.terminate()).toEqual({ code: 0, signal: null });
    expectLogged(service, 'the example stops', 'started', 'closed');
  });

  it('stops at once while it waits for something that it needs to start', async () => {
    const service = await run(['--start', 'waits'], /waiting, and trying again: it is away/);
    await sleep(200);
    expect(await service.terminate()).toEqual({ code: 0, signal: null });
    expect(service.output.match(/trying again/g)).toHaveLength(1);
    expectLogged(service, 'the example has stopped');
    expect(service.output).not.toContain('started');
  });

  it('counts signals within a second as one', async () => {
    const service = await run(['--close-ms', '300'], /"started"/);
    process.kill(service.pid, 'SIGTERM');
    process.kill(service.pid, 'SIGINT');
    expect(await service.exited).toEqual({ code: 0, signal: null });
    expect(service.output).toContain('"closed"');
  });

  it('exits with 1 at once at a second signal', async () => {
    const service = await run(['--close-ms', '60000'], /"started"/);
    process.kill(service.pid, 'SIGTERM');
    await service.waitForLine(/"closing"/);
    await sleep(1_100);
    process.kill(service.pid, 'SIGTERM');
    expect(await service.exited).toEqual({ code: 1, signal: null });
  });

  it('exits with 1 when it does not close within its limit', async () => {
    const service = await run(['--close-ms', '60000', '--limit-ms', '0'], /"started"/);
    expect(await service.terminate()).toEqual({ code: 1, signal: null });
    expect(service.output).toContain('did not stop within its limit');
  });

  it.each([
    {
      failure: 'its configuration is wrong',
      options: ['--read', 'fault'],
      code: 78,
      output: /^all of it is wrong$/,
    },
    {
      failure: 'it cannot start',
      options: ['--start', 'refused'],
      code: 1,
      output: /"starting".*\nthe port is taken \(LISTEN_FAILED\)$/,
    },
  ])('says in one line that $failure', async ({ options, code, output }) => {
    const service = await run(options);
    expect(await service.exited).toEqual({ code, signal: null });
    expect(service.output).toMatch(output);
  });

  it.each(['defect', 'late-defect'])('exits with 70 and a stack trace at a %s', async (start) => {
    const service = await run(['--start', start]);
    expect(await service.exited).toEqual({ code: 70, signal: null });
    expect(service.output).toMatch(/(TypeError: not a function|Error: late).*\n? +at /);
  });
});
