import { homedir } from 'node:os';
import { join } from 'node:path';

/** Returns the folder of something that is fetched once: in `$XDG_CACHE_HOME` or `~/.cache`. */
export function cacheFolder(name: string): string {
  const cache = process.env.XDG_CACHE_HOME || join(homedir(), '.cache');
  return join(cache, 'posthaste', name);
}
