import { chown, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type PostgresServer, readTestCertificate, startPostgres } from '@posthaste/testbed';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { type Database, openPostgres } from '../src/index.js';

/** Certificate of the server, for localhost and 127.0.0.1. It is its own authority. */
const ownRoot = fileURLToPath(
  new URL('../../../tooling/testbed/certificates/localhost-certificate.pem', import.meta.url),
);

/** Rules of pg_hba.conf, by the connections that they accept. */
const rules = {
  all: 'host all all all trust\n',
  'TLS only': 'hostssl all all all trust\n',
  'no TLS only': 'hostnossl all all all trust\n',
};

let server: PostgresServer;
let otherRoot: string;
const opened: Database[] = [];

async function connect(query: string, host = '127.0.0.1'): Promise<'TLS' | 'no TLS'> {
  const url = new URL(server.url);
  url.hostname = host;
  const db = await openPostgres({ url: `${url.href}?${query}` });
  opened.push(db);
  const { rows } = await db.query<{ ssl: boolean }>(
    'select ssl from pg_stat_ssl where pid = pg_backend_pid()',
  );
  return rows[0]?.ssl ? 'TLS' : 'no TLS';
}

/** Changes the server's configuration by its superuser on the Unix socket, and reloads it. */
async function reload(accepted: keyof typeof rules, tls: 'on' | 'off'): Promise<void> {
  const local = 'local all all trust\n';
  await writeFile(join(server.dataDir, 'pg_hba.conf'), local + rules[accepted]);
  const client = new pg.Client({
    host: join(server.dataDir, '..'),
    port: server.port,
    user: 'postgres',
    database: 'postgres',
  });
  await client.connect();
  await client.query(`alter system set ssl = ${tls}`);
  await client.query('select pg_reload_conf()');
  // The server reads its configuration a moment later.
  const read = async (): Promise<unknown> =>
    (
      await client.query(`select (select setting from pg_settings where name = 'ssl') as ssl,
       (select type from pg_hba_file_rules where type <> 'local') as type`)
    ).rows[0];
  const type = rules[accepted].split(' ')[0];
  await vi.waitFor(async () => expect(await read()).toEqual({ ssl: tls, type }), 10_000);
  await client.end();
}

async function putCertificate(): Promise<void> {
  const { cert, key } = await readTestCertificate();
  const { uid, gid } = await stat(server.dataDir);
  for (const [name, text] of [
    ['server.crt', cert],
    ['server.key', key],
  ] as const) {
    const path = join(server.dataDir, name);
    await writeFile(path, text, { mode: 0o600 });
    await chown(path, uid, gid);
  }
}

describeWithPostgres('sslmode', () => {
  beforeAll(async () => {
    server = await startPostgres({ settings: { listen_addresses: '127.0.0.1,127.0.0.2' } });
    await putCertificate();
    otherRoot = join(server.dataDir, 'other.crt');
    await writeFile(otherRoot, otherCertificate);
  });
  afterEach(() => Promise.all(opened.splice(0).map((db) => db.close())));
  afterAll(() => server?.close());

  describe('on a server with TLS', () => {
    beforeAll(() => reload('all', 'on'));

    it.each([
      ['', 'TLS'],
      ['sslmode=disable', 'no TLS'],
      ['sslmode=allow', 'no TLS'],
      ['sslmode=prefer', 'TLS'],
      ['sslmode=require', 'TLS'],
      [`sslmode=require&sslrootcert=${ownRoot}`, 'TLS'],
      [`sslmode=verify-ca&sslrootcert=${ownRoot}`, 'TLS'],
      [`sslmode=verify-full&sslrootcert=${ownRoot}`, 'TLS'],
    ])('"%s" connects with %s', async (query, expected) => {
      expect(await connect(query)).toBe(expected);
    });

    it('checks the name of the server in verify-full only', async () => {
      expect(await connect(`sslmode=verify-ca&sslrootcert=${ownRoot}`, '127.0.0.2')).toBe('TLS');
      await expect(
        connect(`sslmode=verify-full&sslrootcert=${ownRoot}`, '127.0.0.2'),
      ).rejects.toMatchObject({
        code: 'DATABASE_ERROR',
        message: expect.stringContaining('127.0.0.2'),
      });
    });

    it.each(['require', 'verify-ca', 'verify-full'])(
      'refuses a certificate of another authority in %s',
      async (mode) => {
        await expect(connect(`sslmode=${mode}&sslrootcert=${otherRoot}`)).rejects.toMatchObject({
          code: 'DATABASE_ERROR',
          message: expect.stringContaining('check sslmode and sslrootcert'),
        });
      },
    );

    it('refuses a certificate that no public authority has signed in verify-full', async () => {
      await expect(connect('sslmode=verify-full')).rejects.toMatchObject({
        code: 'DATABASE_ERROR',
      });
    });

    it('listens with TLS as well', async () => {
      const db = await openPostgres({
        url: `${server.url}?sslmode=require`,
        applicationName: 'tls',
      });
      opened.push(db);
      await db.listen('news', () => undefined);
      const { rows } = await db.query(
        `select bool_and(ssl) as ssl, count(*)::int as count
         from pg_stat_ssl join pg_stat_activity using (pid) where application_name = 'tls'`,
      );
      expect(rows).toEqual([{ ssl: true, count: 2 }]);
    });
  });

  describe('on a server without TLS', () => {
    beforeAll(() => reload('all', 'off'));

    it.each(['', 'sslmode=disable', 'sslmode=allow', 'sslmode=prefer'])(
      '"%s" connects without',
      async (query) => {
        expect(await connect(query)).toBe('no TLS');
      },
    );

    it.each(['sslmode=require', `sslmode=verify-ca&sslrootcert=${ownRoot}`, 'sslmode=verify-full'])(
      '"%s" is refused',
      async (query) => {
        await expect(connect(query)).rejects.toMatchObject({
          code: 'DATABASE_ERROR',
          message: expect.stringContaining('does not support SSL'),
        });
      },
    );
  });

  it.each([
    ['TLS only', 'sslmode=allow', 'TLS'],
    ['TLS only', 'sslmode=prefer', 'TLS'],
    ['no TLS only', 'sslmode=prefer', 'no TLS'],
    ['no TLS only', 'sslmode=allow', 'no TLS'],
  ] as const)(
    'on a server that accepts %s, %s connects with %s',
    async (accepted, query, expected) => {
      await reload(accepted, 'on');
      expect(await connect(query)).toBe(expected);
    },
  );

  it.each([
    ['TLS only', 'sslmode=disable'],
    ['no TLS only', 'sslmode=require'],
  ] as const)('on a server that accepts %s, %s is refused', async (accepted, query) => {
    await reload(accepted, 'on');
    await expect(connect(query)).rejects.toMatchObject({ code: 'DATABASE_ERROR' });
  });

  it.each([
    ['sslmode=requires', 'not "requires"'],
    ['sslmode=verify-ca', 'add sslrootcert'],
    ['sslmode=require&sslrootcert=system', 'needs sslmode=verify-full'],
    ['sslmode=prefer&sslnegotiation=direct', 'needs sslmode=require'],
  ])('refuses "%s" with what to do', async (query, message) => {
    const opening = openPostgres({ url: `${server.url}?${query}` });
    await expect(opening).rejects.toMatchObject({
      code: 'OPTION_INVALID',
      message: expect.stringContaining(message),
    });
  });
});

/** A self-signed certificate of another authority. */
const otherCertificate = `-----BEGIN CERTIFICATE-----
MIIBkDCCATWgAwIBAgIUfINbenTvFvb82MeSeK3bjGwVuu4wCgYIKoZIzj0EAwIw
HDEaMBgGA1UEAwwRYW5vdGhlciBhdXRob3JpdHkwIBcNMjYxMTI5MjAyNzQ0WhgP
MjEyNjExMDUyMDI3NDRaMBwxGjAYBgNVBAMMEWFub3RoZXIgYXV0aG9yaXR5MFkw
EwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAECmnaH6OvDyDMJgRN9MqfyBxJ8chl6Qxv
l0unPNHaLGoBaPVNdxDuVHaQoTGP5KZy+MnIoDAipSXK2uznSXGILKNTMFEwHQYD
VR0OBBYEFBCjpWrwTeM43YX6gDv12OWGq4rHMB8GA1UdIwQYMBaAFBCjpWrwTeM4
3YX6gDv12OWGq4rHMA8GA1UdEwEB/wQFMAMBAf8wCgYIKoZIzj0EAwIDSQAwRgIh
AJ0ZcU3IND33W7SUTBWNG3JqhXV81tipqLl2znKo5ztBAiEAmF+2Z6v7m2So1CFU
M/CU2i54s36dZ6KLd9xGby8P+S8=
-----END CERTIFICATE-----
`;
