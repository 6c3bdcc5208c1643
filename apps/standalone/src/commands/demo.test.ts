import { readdir } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { emptyFolder, posthaste, posthasteProcess, startPosthaste } from '../../test/posthaste.js';

const small = ['demo', '--callbacks', '100', '--queues', '10'];

describe('posthaste demo', () => {
  it('proves that every queue arrived in order, and leaves nothing behind', async () => {
    const folder = await emptyFolder();
    const { code, stdout, stderr } = await posthasteProcess(small, { TMPDIR: folder });
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(/accepted \d+\/100 {2}delivered /);
    expect(stdout).toContain('* the receiver has recovered\n');
    expect(stdout).toMatch(/delivered +100\n/);
    expect(stdout).toMatch(/queues in order +10\/10\n/);
    expect(stdout).toMatch(/\nEvery queue arrived in order and nothing was lost\.\n$/);
    expect(await readdir(folder)).toEqual([]);
  });

  it('proves it although Posthaste is killed in the middle', async () => {
    const { code, stdout, stderr } = await posthasteProcess([...small, '--kill']);
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toContain('* Posthaste was killed (SIGKILL)\n');
    expect(stdout).toMatch(/nothing was lost, although Posthaste was killed in the middle\.\n$/);
  });

  it('cleans up on Ctrl-C', async () => {
    const folder = await emptyFolder();
    const demo = await startPosthaste(small, { TMPDIR: folder }, /delivered/);
    process.kill(demo.pid, 'SIGINT');
    expect(await demo.exited).toEqual({ code: 130, signal: null });
    expect(await readdir(folder)).toEqual([]);
  });

  it.each([
    [['--queues', '11', '--callbacks', '10'], 'there are more --queues than --callbacks'],
    [['--kill', '--url', 'http://localhost:1'], "option '--url <url>' cannot be used with"],
    [['--callbacks', '0'], 'It must be a whole number from 1 to'],
  ])('exits with 64 on %j', async (args, message) => {
    const { code, stderr } = await posthaste(['demo', ...args]);
    expect(code).toBe(64);
    expect(stderr).toContain(message);
  });

  it('says in one line that the platform to use does not answer', async () => {
    const { code, stderr } = await posthaste([...small, '--url', 'http://127.0.0.1:1']);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^http:\/\/127\.0\.0\.1:1 does not answer.* \(GATEWAY_UNREACHABLE\)\n$/);
  });
});
