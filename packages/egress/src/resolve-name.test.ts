import type { LookupAddress } from 'node:dns';
import { expect, it, vi } from 'vitest';
import { createNameResolver, type NameSources } from './resolve-name.js';

const address = (text: string): LookupAddress[] => [{ address: text, family: 4 }];
const refusal = (code: string): Error => Object.assign(new Error(code), { code });

function sources(changes: Partial<NameSources> = {}): NameSources {
  return {
    listed: (name) => (name === 'listed.example' ? address('192.0.2.1') : []),
    query: async () => address('192.0.2.2'),
    system: async () => address('192.0.2.3'),
    ...changes,
  };
}

it('asks the hosts file first, then the name servers', async () => {
  const resolve = createNameResolver(sources());
  expect(await resolve('Listed.example.')).toEqual(address('192.0.2.1'));
  expect(await resolve('other.example')).toEqual(address('192.0.2.2'));
});

it('asks the system for names without a dot, and for those that no name server knows', async () => {
  const query = vi.fn(() => Promise.reject(refusal('ENOTFOUND')));
  const resolve = createNameResolver(sources({ query }));
  expect(await resolve('payments')).toEqual(address('192.0.2.3'));
  expect(await resolve('a.localhost')).toEqual(address('192.0.2.3'));
  expect(query).not.toHaveBeenCalled();
  expect(await resolve('payments.shop')).toEqual(address('192.0.2.3'));
  expect(query).toHaveBeenCalledOnce();
});

it('does not ask the system for a name whose name servers do not respond', async () => {
  const system = vi.fn();
  const query = (): Promise<never> => Promise.reject(refusal('ETIMEOUT'));
  const resolve = createNameResolver(sources({ query, system }));
  await expect(resolve('silent.example')).rejects.toMatchObject({ code: 'ETIMEOUT' });
  expect(system).not.toHaveBeenCalled();
});

it('asks the system for one name with a dot at a time, and for one without', async () => {
  const asked: string[] = [];
  const answers: (() => void)[] = [];
  const resolve = createNameResolver(
    sources({
      query: () => Promise.reject(refusal('ENOTFOUND')),
      system: (name) => {
        asked.push(name);
        return new Promise((answer) => answers.push(() => answer(address('192.0.2.3'))));
      },
    }),
  );
  const all = ['a.one', 'a.two', 'b', 'c'].map((name) => resolve(name));
  await vi.waitFor(() => expect(asked.toSorted()).toEqual(['a.one', 'b']));
  for (const answer of answers.splice(0)) answer();
  await vi.waitFor(() => expect(asked).toHaveLength(4));
  for (const answer of answers) answer();
  expect(await Promise.all(all)).toHaveLength(4);
});
