import { expect, it } from 'vitest';
import { openDatabase } from './open-database.js';

it('opens Postgres if there is a URL, without connecting', async () => {
  const db = await openDatabase({ url: 'postgres://127.0.0.1:1/nowhere', dataDir: '/unused' });
  expect(db.kind).toBe('postgres');
  await expect(db.ping()).rejects.toMatchObject({ code: 'DATABASE_UNAVAILABLE' });
  await db.close();
});

it('opens the embedded engine if there is no URL', async () => {
  const db = await openDatabase({});
  expect(db.kind).toBe('embedded');
  await db.ping();
  await db.close();
});
