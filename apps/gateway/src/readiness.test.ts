import { PlatformError } from '@posthaste/contracts';
import { migrate, openEmbedded } from '@posthaste/postgres';
import { describe, expect, it } from 'vitest';
import { testServer } from '../test/test-server.js';
import { gatewayMigrations } from './migrations.js';
import { createReadiness, migrationsCheck } from './readiness.js';

const well = { name: 'well', check: async () => undefined };

describe('readiness', () => {
  it('is there when every check is', async () => {
    expect(await createReadiness([well])()).toEqual({
      ready: true,
      checks: [{ name: 'well', ready: true }],
    });
  });

  it('names what is missing, by code and nothing else', async () => {
    const missing = {
      name: 'database',
      check: () => Promise.reject(new PlatformError('DATABASE_READ_ONLY', 'at 10.0.0.7')),
    };
    const broken = { name: 'broken', check: () => Promise.reject(new Error('secret')) };
    const { app } = await testServer({}, { checks: [well, missing, broken] });
    const answer = await app.inject('/health/ready');
    expect(answer.statusCode).toBe(503);
    expect(answer.json()).toEqual({
      status: 'not_ready',
      checks: [
        { name: 'well', ready: true },
        { name: 'database', ready: false, code: 'DATABASE_READ_ONLY' },
        { name: 'broken', ready: false, code: 'INTERNAL' },
      ],
    });
  });

  it('does not wait for a check that hangs', async () => {
    const hangs = { name: 'hangs', check: () => new Promise<void>(() => undefined) };
    const report = await createReadiness([hangs, well], { timeoutMs: 20 })();
    expect(report).toMatchObject({ ready: false, checks: [{ ready: false }, { ready: true }] });
  });

  it('is found out once for those who ask at about the same time', async () => {
    let runs = 0;
    const counted = {
      name: 'counted',
      check: async () => {
        runs += 1;
      },
    };
    const readiness = createReadiness([counted], { reuseMs: 30 });
    await Promise.all([readiness(), readiness(), readiness()]);
    await readiness();
    expect(runs).toBe(1);
    await expect.poll(() => readiness().then(() => runs)).toBe(2);
  });

  it('waits for migrations, and then does not ask for them again', async () => {
    const db = await openEmbedded();
    const { check } = migrationsCheck(db, [gatewayMigrations]);
    await expect(check()).rejects.toMatchObject({ code: 'MIGRATION_PENDING' });
    await migrate(db, [gatewayMigrations]);
    await check();
    await db.close();
    await check();
  });
});
