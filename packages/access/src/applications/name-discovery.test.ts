import { describe, expect, it, onTestFinished } from 'vitest';
import { useDatabase } from '../../test/access-database.js';
import { ApplicationRegistry } from './application-registry.js';
import { NameDiscovery, type NameSource } from './name-discovery.js';

/** Source of these names, which counts how often it is asked. */
function sourceOf(source: string, names: readonly string[]) {
  const asked: (string | undefined)[] = [];
  const list: NameSource['list'] = async (after, limit) => {
    asked.push(after);
    return names.filter((name) => after === undefined || name > after).slice(0, limit);
  };
  return { source, list, asked };
}

describe('names of applications that existed before', () => {
  const store = useDatabase('embedded');
  const namesOf = async () =>
    (await new ApplicationRegistry(store.db).list('all', { limit: 1_000 })).map(({ name }) => name);
  const create = () => {
    const discovery = new NameDiscovery(store.db, { batchSize: 2, pauseMs: 1, retryMs: 1 });
    onTestFinished(() => discovery.close());
    return discovery;
  };

  it('are registered in small steps, and only once', async () => {
    const first = sourceOf('first', ['', 'a', 'b', 'c']);
    const second = sourceOf('second', ['b', 'd']);
    await create().start([first, second]);
    expect(await namesOf()).toEqual(['', 'a', 'b', 'c', 'd']);
    expect(first.asked).toEqual([undefined, 'a', 'c']);
    await create().start([first, second]);
    expect([first.asked.length, second.asked.length]).toEqual([3, 2]);
  });

  it('go on after a failure and after a stop where they were', async () => {
    const source = sourceOf('third', ['e', 'f', 'g', 'h', 'i']);
    let isBroken = true;
    const flaky: NameSource = {
      source: source.source,
      list: async (after, limit) => {
        if (after === 'f' && isBroken) throw new Error('away');
        return source.list(after, limit);
      },
    };
    const errors: unknown[] = [];
    const stopped = new NameDiscovery(store.db, {
      batchSize: 2,
      pauseMs: 1,
      retryMs: 1,
      onError: (error) => errors.push(error),
    });
    const running = stopped.start([flaky]);
    await expect.poll(() => errors.length).toBeGreaterThan(1);
    await stopped.close();
    await running;
    expect(source.asked).toEqual([undefined]);
    isBroken = false;
    await create().start([flaky]);
    expect(source.asked).toEqual([undefined, 'f', 'h']);
    expect(await namesOf()).toEqual(expect.arrayContaining(['e', 'f', 'g', 'h', 'i']));
  });
});
