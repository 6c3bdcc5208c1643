import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, symlink } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { PlatformError } from '@posthaste/contracts';

/** Exclusive hold of this process on a folder. */
export interface FolderLock {
  /** Releases the folder. Idempotent. */
  release(): Promise<void>;
}

const prefix = 'lock.';
/** Longest path of a Unix socket that every system accepts, in bytes. */
const maxSocketPath = 100;
const maxTries = 20;
const responseTimeoutMs = 1_000;

/**
 * Locks a folder for this process, until it is released or the process ends for any reason.
 *
 * A process that wants the folder listens on a Unix socket in it, under a random name, and then looks
 * for sockets of other processes. The kernel closes the sockets of a dead process, so a socket that
 * refuses connections is a left-over: neither process ids nor clocks are needed. Each process listens
 * before it looks, so of two that come at the same time at least one sees the other; it releases its
 * claim and tries again.
 * @throws PlatformError `DATABASE_IN_USE`
 */
export async function lockFolder(folder: string): Promise<FolderLock> {
  const address = await shortAddress(resolve(folder));
  try {
    for (let tries = 1; ; tries++) {
      const claim = await Claim.open(address.path);
      const rival = await claim.findRival().catch(async (error: unknown) => {
        await claim.release(folder);
        throw error;
      });
      if (rival === undefined) return { release: () => claim.release(folder) };
      await claim.release(folder);
      if (rival.holds || tries === maxTries) throw inUse(folder, rival);
      await sleep(10 + Math.random() * 50);
    }
  } finally {
    await address.release();
  }
}

function inUse(folder: string, { pid }: Rival): PlatformError {
  const owner = pid === undefined ? 'another process' : `process ${pid}`;
  return new PlatformError('DATABASE_IN_USE', `${folder} is in use by ${owner}`);
}

/** Another claim on the folder. */
interface Rival {
  readonly pid: number | undefined;
  /** False while it is still looking for other claims. */
  readonly holds: boolean;
}

/** Claim of this process on the folder: a socket in it. */
class Claim {
  readonly #folder: string;
  readonly #name: string;
  readonly #server: Server;
  #holds = false;

  private constructor(folder: string) {
    this.#folder = folder;
    this.#name = `${prefix}${randomBytes(4).toString('hex')}`;
    this.#server = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.end(JSON.stringify({ pid: process.pid, holds: this.#holds } satisfies Rival));
    });
    // The lock alone must not keep the process running.
    this.#server.unref();
  }

  static async open(folder: string): Promise<Claim> {
    const claim = new Claim(folder);
    claim.#server.listen(join(folder, claim.#name));
    await once(claim.#server, 'listening');
    // Errors such as too many open files: the process that asks treats silence as a holder.
    claim.#server.on('error', () => undefined);
    return claim;
  }

  /** Returns another claim; undefined if there is none, and then this claim holds the folder. */
  async findRival(): Promise<Rival | undefined> {
    const leftOver: string[] = [];
    for (const name of await this.#names()) {
      if (name === this.#name) continue;
      const path = join(this.#folder, name);
      const rival = await probe(path);
      if (rival) return rival;
      leftOver.push(path);
    }
    // A holder that removes left-overs may have removed this socket just before it listened.
    if (!(await this.#names()).includes(this.#name)) return { pid: undefined, holds: false };
    this.#holds = true;
    await Promise.all(leftOver.map((path) => rm(path, { force: true })));
    return undefined;
  }

  async release(folder: string): Promise<void> {
    this.#holds = false;
    if (!this.#server.listening) return;
    this.#server.close();
    // Node removes the socket by the path that it was created with, which may have been a link.
    await rm(join(folder, this.#name), { force: true });
  }

  async #names(): Promise<string[]> {
    return (await readdir(this.#folder)).filter((name) => name.startsWith(prefix));
  }
}

/** Stands for a process that gives no valid response. */
const unknownHolder: Rival = { pid: undefined, holds: true };

/** Asks the process behind a socket for its claim; undefined if there is no process. */
function probe(path: string): Promise<Rival | undefined> {
  return new Promise((settle) => {
    let response = '';
    const socket = connect(path);
    socket.setEncoding('utf8');
    // A stopped or busy process accepts the connection and sends nothing. It still holds the lock.
    socket.setTimeout(responseTimeoutMs, () => socket.destroy());
    socket.on('data', (text: string) => {
      response += text;
    });
    socket.on('error', ({ code }: NodeJS.ErrnoException) => {
      settle(code === 'ECONNREFUSED' || code === 'ENOENT' ? undefined : unknownHolder);
    });
    socket.on('close', () => settle(parseRival(response)));
  });
}

function parseRival(response: string): Rival {
  try {
    return JSON.parse(response) as Rival;
  } catch {
    return unknownHolder;
  }
}

/** Returns a path of the folder that is short enough for a socket: the folder itself, or a link to it. */
async function shortAddress(folder: string): Promise<{ path: string; release(): Promise<void> }> {
  const longest = join(folder, `${prefix}00000000`);
  if (Buffer.byteLength(longest) <= maxSocketPath) {
    return { path: folder, release: () => Promise.resolve() };
  }
  const parent = await mkdtemp(join(tmpdir(), 'posthaste-'));
  const path = join(parent, 'data');
  await symlink(folder, path);
  return { path, release: () => rm(parent, { recursive: true }) };
}
