import { randomBytes } from 'node:crypto';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { expect, it } from 'vitest';
import { useSharedStore } from '../../test/test-store.js';
import { checkMasterKey, markMasterKey } from './master-key-mark.js';
import { createSecretBox } from './secret-box.js';
import { Secrets } from './secrets.js';

describeWithPostgres('the mark of the master key', () => {
  const store = useSharedStore();

  it('tells a process with another key from one with the same', async () => {
    const key = randomBytes(32);
    const [gateway, worker, other] = [key, key, randomBytes(32)].map((bytes) =>
      createSecretBox(bytes),
    );
    if (!gateway || !worker || !other) throw new Error('three boxes were made');
    await expect(checkMasterKey(store.db, other)).resolves.toBeUndefined();
    await Promise.all([1, 2, 3].map(() => markMasterKey(store.db, gateway)));
    await expect(checkMasterKey(store.db, worker)).resolves.toBeUndefined();
    await expect(checkMasterKey(store.db, other)).rejects.toMatchObject({
      code: 'SECRET_UNREADABLE',
      message: expect.stringContaining('another POSTHASTE_SECRET_KEY'),
    });
    await markMasterKey(store.db, other);
    await expect(checkMasterKey(store.db, other)).resolves.toBeUndefined();
    await expect(checkMasterKey(store.db, worker)).rejects.toThrow('another POSTHASTE_SECRET_KEY');
    expect((await new Secrets(store.db, other).list({ within: 'all' })).items).toEqual([]);
  });
});
