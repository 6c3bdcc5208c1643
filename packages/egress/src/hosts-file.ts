import type { LookupAddress } from 'node:dns';
import { readFileSync, statSync } from 'node:fs';
import { isIP } from 'node:net';

/** Time between two checks whether the file has changed, in ms. */
const checkIntervalMs = 5_000;

const systemPath =
  process.platform === 'win32'
    ? `${process.env.SystemRoot}\\System32\\drivers\\etc\\hosts`
    : '/etc/hosts';

/** Names and addresses of this machine's hosts file. */
export class HostsFile {
  readonly #path: string;
  #checkedAtMs = Number.NEGATIVE_INFINITY;
  #changedAtMs = 0;
  #addresses: ReadonlyMap<string, readonly LookupAddress[]> = new Map();

  constructor(path: string = systemPath) {
    this.#path = path;
  }

  /** Returns the addresses of a name, given in lower case; an empty list if the file lacks it. */
  find(name: string): readonly LookupAddress[] {
    const nowMs = performance.now();
    if (nowMs - this.#checkedAtMs > checkIntervalMs) {
      this.#checkedAtMs = nowMs;
      this.#refresh();
    }
    return this.#addresses.get(name) ?? [];
  }

  /** Reads the file if it has changed. Synchronous, because the file is small and seldom changes. */
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
      // Deleted meanwhile, or not readable for this user: the system's resolver is asked then.
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
