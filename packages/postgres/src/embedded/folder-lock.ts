import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, symlink } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { PlatformError } from '@posthaste/contracts';

/** A folder that is this process's alone. */
export interface FolderLock {
  /** Gives it back. */
  release(): Promise<void>;
}

const prefix = 'lock.';
/** Path of a Unix socket, in bytes, that every system takes. */
const maxSocketPath = 100;
const maxAttempts = 20;
const answerTimeoutMs = 1_000;

/**
 * Takes a folder for this process, until it is released or the process ends, however that happens.
 *
 * Whoever wants the folder listens on a Unix socket in it, under a name of its own, and then looks
 * for others who do. The kernel closes a dead process's sockets: one that refuses connections is a
 * left-over, so no process id is trusted and no clock is asked. Because each first listens and then
 * looks, of two who come together at least one sees the other; it steps back and tries again.
 * @throws PlatformError `DATABASE_IN_USE`
 */
export async function lockFolder(folder: string): Promise<FolderLock> {
  const address = await shortAddress(resolve(folder));
  try {
    for (let attempt = 1; ; attempt++) {
      const claim = await Claim.stake(address.path);
      const rival = await claim.findRival().catch(async (error: unknown) => {
        await claim.release(folder);
        throw error;
      });
      if (rival === undefined) return { release: () => claim.release(folder) };
      await claim.release(folder);
      if (rival.holds || attempt === maxAttempts) throw inUse(folder, rival);
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

interface Rival {
  readonly pid: number | undefined;
  /** False while it, too, is still looking for others. */
  readonly holds: boolean;
}

/** One socket in the folder. */
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
    // A lock alone is no reason for a process to live on.
    this.#server.unref();
  }

  static async stake(folder: string): Promise<Claim> {
    const claim = new Claim(folder);
    claim.#server.listen(join(folder, claim.#name));
    await once(claim.#server, 'listening');
    // Such as too many open files when somebody asks: who asks takes silence for an answer.
    claim.#server.on('error', () => undefined);
    return claim;
  }

  /** Undefined when there is none: then the claim holds the folder. */
  async findRival(): Promise<Rival | undefined> {
    const leftOver: string[] = [];
    for (const name of await this.#names()) {
      if (name === this.#name) continue;
      const path = join(this.#folder, name);
      const rival = await probe(path);
      if (rival) return rival;
      leftOver.push(path);
    }
    // A holder that tidied up may have taken it for a left-over, in the moment before it listened.
    if (!(await this.#names()).includes(this.#name)) return { pid: undefined, holds: false };
    this.#holds = true;
    await Promise.all(leftOver.map((path) => rm(path, { force: true })));
    return undefined;
  }

  async release(folder: string): Promise<void> {
    this.#holds = false;
    if (!this.#server.listening) return;
    this.#server.close();
    // Node removes the socket under the path it was made with, which may have been a short-cut.
    await rm(join(folder, this.#name), { force: true });
  }

  async #names(): Promise<string[]> {
    return (await readdir(this.#folder)).filter((name) => name.startsWith(prefix));
  }
}

const stranger: Rival = { pid: undefined, holds: true };

/** Asks who is behind a socket; undefined when nobody is. */
function probe(path: string): Promise<Rival | undefined> {
  return new Promise((settle) => {
    let answer = '';
    const socket = connect(path);
    socket.setEncoding('utf8');
    // A process that is stopped or busy accepts without a word. It lives, and that is enough.
    socket.setTimeout(answerTimeoutMs, () => socket.destroy());
    socket.on('data', (text: string) => {
      answer += text;
    });
    socket.on('error', ({ code }: NodeJS.ErrnoException) => {
      settle(code === 'ECONNREFUSED' || code === 'ENOENT' ? undefined : stranger);
    });
    socket.on('close', () => settle(parseRival(answer)));
  });
}

function parseRival(answer: string): Rival {
  try {
    return JSON.parse(answer) as Rival;
  } catch {
    return stranger;
  }
}

/** A way to the folder that is short enough for a socket: itself, or a link to it. */
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
