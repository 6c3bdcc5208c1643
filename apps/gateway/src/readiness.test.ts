import { accessMigrations } from '@posthaste/access';
import { PlatformError } from '@posthaste/contracts';
import { migrate, openEmbedded } from '@posthaste/postgres';
import { describe, expect, it } from 'vitest';
import { testServer } from '../test/test-server.js';
import { migrationsCheck } from './readiness.js';

const passing = { name: 'passing', check: async () => undefined };

describe('readiness', () => {
  it('names failed checks by their error code only', async () => {
    const missing = {
      name: 'database',
      check: () => Promise.reject(new PlatformError('DATABASE_READ_ONLY', 'at 10.0.0.7')),
    };
    const broken = { name: 'broken', check: () => Promise.reject(new Error('secret')) };
    const { app } = await testServer({}, { checks: [passing, missing, broken] });
    const answer = await app.inject('/health/ready');
    expect(answer.statusCode).toBe(503);
    expect(answer.json()).toEqual({
      status: 'not_ready',
      checks: [
        { name: 'passing', ready: true },
        { name: 'database', ready: false, code: 'DATABASE_READ_ONLY' },
        { name: 'broken', ready: false, code: 'INTERNAL' },
      ],
    });
  });

  it('waits for migrations, and does not ask again once they are applied', async () => {
    const db = await openEmbedded();
    const { check } = migrationsCheck(db, [accessMigrations]);
    await expect(check()).rejects.toMatchObject({ code: 'MIGRATION_PENDING' });
    await migrate(db, [accessMigrations]);
    await check();
    await db.close();
    await check();
  });
});
