import type { LookupAddress } from 'node:dns';
import { readFileSync, statSync } from 'node:fs';
import { isIP } from 'node:net';

/** How long the file is taken to be as it was, in ms. */
const freshMs = 5_000;

const systemPath =
  process.platform === 'win32'
    ? `${process.env.SystemRoot}\\System32\\drivers\\etc\\hosts`
    : '/etc/hosts';

/** The names that this machine has addresses for itself. */
export class HostsFile {
  readonly #path: string;
  #checkedAtMs = Number.NEGATIVE_INFINITY;
  #changedAtMs = 0;
  #addresses: ReadonlyMap<string, readonly LookupAddress[]> = new Map();

  constructor(path: string = systemPath) {
    this.#path = path;
  }

  /** The addresses of a name in lower case; none when the file has not got it. */
  find(name: string): readonly LookupAddress[] {
    const nowMs = performance.now();
    if (nowMs - this.#checkedAtMs > freshMs) {
      this.#checkedAtMs = nowMs;
      this.#refresh();
    }
    return this.#addresses.get(name) ?? [];
  }

  /** At once, because the file is small and hardly ever changes. */
  #refresh(): void {
    const changedAtMs = statSync(this.#path, { throwIfNoEntry: false })?.mtimeMs;
    if (changedAtMs === this.#changedAtMs) return;
    this.#changedAtMs = changedAtMs ?? 0;
    this.#addresses = changedAtMs === undefined ? new Map() : parse(this.#read());
  }

  #read(): string {
    try {
      return readFileSync(this.#path, 'utf8');
    } catch {
      // Gone meanwhile, or not for this user: the system's own resolver is asked then.
      return '';
    }
  }
}

function parse(text: string): ReadonlyMap<string, readonly LookupAddress[]> {
  const found = new Map<string, LookupAddress[]>();
  for (const line of text.split('\n')) {
    const [address = '', ...names] = line.replace(/#.*/, '').trim().split(/\s+/);
    const family = isIP(address);
    if (family === 0) continue;
    for (const name of names.map((each) => each.toLowerCase())) {
      found.set(name, [...(found.get(name) ?? []), { address, family }]);
    }
  }
  return found;
}
