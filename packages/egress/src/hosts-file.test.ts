import { mkdtemp, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished, vi } from 'vitest';
import { HostsFile } from './hosts-file.js';

async function writeHosts(text: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'hosts-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const path = join(folder, 'hosts');
  await writeFile(path, text);
  return path;
}

it('finds the names of the file in any case, with all their addresses', async () => {
  const text = '# 192.0.2.1 no\n127.0.0.1\tlocalhost Vm # me\r\n::1 localhost\nnonsense x\n';
  const hosts = new HostsFile(await writeHosts(text));
  expect(hosts.find('localhost')).toEqual([
    { address: '127.0.0.1', family: 4 },
    { address: '::1', family: 6 },
  ]);
  expect(hosts.find('vm')).toEqual([{ address: '127.0.0.1', family: 4 }]);
  for (const name of ['no', 'x', 'me', '__proto__']) expect(hosts.find(name)).toEqual([]);
});

it('finds nothing without the file', () => {
  expect(new HostsFile('/nowhere/hosts').find('localhost')).toEqual([]);
});

it('reads the file again when it has changed', async () => {
  const path = await writeHosts('192.0.2.1 shop');
  const now = vi.spyOn(performance, 'now').mockReturnValue(0);
  onTestFinished(() => now.mockRestore());
  const hosts = new HostsFile(path);
  expect(hosts.find('shop')).toHaveLength(1);
  await writeFile(path, '192.0.2.1 other');
  await utimes(path, new Date(), new Date(Date.now() + 5_000));
  expect(hosts.find('shop')).toHaveLength(1);
  now.mockReturnValue(6_000);
  expect(hosts.find('shop')).toHaveLength(0);
  expect(hosts.find('other')).toHaveLength(1);
});
