import { cp, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Worker } from 'node:worker_threads';
import { type RunningProcess, startProcess } from '@posthaste/testbed';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Database } from '../database.js';
import { type EmbeddedOptions, openEmbedded } from './open-embedded.js';

/** A folder with a table `kept (id int)`. It is copied, because creating one takes seconds. */
let template: string;
let dataDir: string;
const opened: Database[] = [];
const running: RunningProcess[] = [];

beforeAll(async () => {
  template = await mkdtemp(join(tmpdir(), 'embedded-'));
  const db = await openEmbedded({ dataDir: template });
  await db.query('create table kept (id int)');
  await db.close();
});
beforeEach(async () => {
  dataDir = join(await mkdtemp(join(tmpdir(), 'embedded-')), 'data');
});
afterEach(async () => {
  await Promise.all(running.splice(0).map((each) => each.close()));
  await Promise.all(opened.splice(0).map((db) => db.close()));
  await rm(join(dataDir, '..'), { recursive: true });
});
afterAll(() => rm(template, { recursive: true }));

const open = async (options: EmbeddedOptions = { dataDir }): Promise<Database> => {
  const db = await openEmbedded(options);
  opened.push(db);
  return db;
};

const openCopy = async (options: EmbeddedOptions = {}): Promise<Database> => {
  await cp(template, dataDir, { recursive: true });
  return open({ dataDir, ...options });
};

const startWriter = async (ready: RegExp): Promise<RunningProcess> => {
  const program = fileURLToPath(new URL('../../test/embedded-writer.ts', import.meta.url));
  const started = await startProcess({ args: [program, dataDir], ready });
  running.push(started);
  return started;
};

/** Resolves to the thread of the next engine that is started. */
const nextThread = (): Promise<Worker> =>
  new Promise((resolve) => {
    process.once('worker', resolve);
  });

describe('a folder', () => {
  it('keeps its data when it is opened again', async () => {
    const first = await openCopy();
    await first.query('insert into kept values (7)');
    await first.close();
    const second = await open();
    expect((await second.query('select id from kept')).rows).toEqual([{ id: 7 }]);
    expect(await readdir(dataDir)).toEqual([expect.stringMatching(/^lock\./), 'postgres']);
  });

  it('is open in one handle at a time', async () => {
    const first = await openCopy();
    await expect(openEmbedded({ dataDir })).rejects.toMatchObject({
      code: 'DATABASE_IN_USE',
      retryable: true,
    });
    await first.ping();
  });

  it('is created again if its creation was interrupted', async () => {
    await mkdir(join(dataDir, 'postgres'), { recursive: true });
    await writeFile(join(dataDir, 'postgres', 'PG_VERSION'), '18\n');
    await writeFile(join(dataDir, 'initializing'), '');
    await (await open()).ping();
    expect(await readdir(dataDir)).not.toContain('initializing');
  });

  it('that contains something else is refused, and released', async () => {
    await mkdir(join(dataDir, 'postgres'), { recursive: true });
    await writeFile(join(dataDir, 'postgres', 'PG_VERSION'), '9.6\n');
    for (let i = 0; i < 2; i++) {
      await expect(openEmbedded({ dataDir })).rejects.toMatchObject({ code: 'DATABASE_ERROR' });
    }
    expect(await readdir(dataDir)).toEqual(['postgres']);
  });

  it('that is a file is refused', async () => {
    await writeFile(dataDir, '');
    await expect(openEmbedded({ dataDir })).rejects.toMatchObject({
      code: 'DATABASE_FOLDER_INVALID',
    });
  });

  it('that is not writable is refused', async () => {
    // Not even root can create a folder there.
    await expect(openEmbedded({ dataDir: '/sys/posthaste' })).rejects.toMatchObject({
      code: 'DATABASE_READ_ONLY',
      retryable: true,
    });
  });
});

describe('kill -9', () => {
  it('loses no committed data, and leaves no half transaction', {
    timeout: 120_000,
  }, async () => {
    let committed = 0;
    for (let round = 1; round <= 5; round++) {
      const writer = await startWriter(new RegExp(`^committed ${committed + 20 * round}$`));
      await sleep(Math.random() * 200);
      await writer.kill();
      committed = Number(/.*committed (\d+)/s.exec(writer.output)?.[1]);
    }
    const { rows } = await (await open()).query<{ n: bigint }>(
      'select n from pair group by n having count(*) = 2 order by n',
    );
    // The last transaction may have been committed without its line of output.
    expect(rows.length - committed).toBeOneOf([0, 1]);
    expect(rows.map(({ n }) => Number(n))).toEqual(rows.map((_, i) => i + 1));
  });

  it('during the creation leaves a folder that can be opened', async () => {
    const program = fileURLToPath(new URL('../../test/embedded-writer.ts', import.meta.url));
    const writer = await startProcess({ args: [program, dataDir] });
    running.push(writer);
    await vi.waitFor(async () => expect(await readdir(dataDir)).toContain('postgres'), 20_000);
    await writer.kill();
    await (await open()).ping();
  });
});

describe('the end of the thread', () => {
  it('fails running statements; the next call finds the committed data', async () => {
    const thread = nextThread();
    const db = await openCopy();
    const onNotification = vi.fn();
    const onReconnect = vi.fn();
    await db.listen('channel', onNotification, onReconnect);
    const outcome = db.transaction(async (tx) => {
      await tx.query('insert into kept values (1)');
      await (await thread).terminate();
      await tx.query('insert into kept values (2)');
    });
    await expect(outcome).rejects.toMatchObject({ code: 'DATABASE_UNAVAILABLE' });
    expect((await db.query('select id from kept')).rows).toEqual([]);
    expect(onReconnect).toHaveBeenCalledTimes(1);
    await db.query(`select pg_notify('channel', 'x')`);
    expect(onNotification).toHaveBeenCalledWith('x');
  });

  it('ends a database in memory permanently', async () => {
    const thread = nextThread();
    const db = await open({});
    await db.ping();
    await (await thread).terminate();
    await vi.waitFor(() => expect(db.poolStats().total).toBe(0));
    await expect(db.ping()).rejects.toMatchObject({ code: 'DATABASE_UNAVAILABLE' });
    await db.close();
  });
});

describe('the only connection', () => {
  it('is waited for only up to the time limit', async () => {
    const db = await openCopy({ connectTimeoutMs: 1_000 });
    const outcome = db.transaction(() => db.query('select 1'));
    await expect(outcome).rejects.toMatchObject({ code: 'DATABASE_TIMEOUT' });
    await db.ping();
  });

  it('is closed after running and waiting statements', async () => {
    const db = await openCopy();
    const calls = [1, 2, 3].map((id) => db.query('insert into kept values ($1)', [id]));
    await Promise.all([db.close(), ...calls]);
    await expect(db.ping()).rejects.toMatchObject({ code: 'DATABASE_UNAVAILABLE' });
    expect((await (await open()).query('select id from kept')).rowCount).toBe(3);
  });

  it('leaves the event loop free while a statement runs', async () => {
    const db = await openCopy();
    let turns = 0;
    const timer = setInterval(() => turns++, 5);
    await db.query('select count(*) from generate_series(1, 3000000)');
    clearInterval(timer);
    expect(turns).toBeGreaterThan(10);
  });
});
