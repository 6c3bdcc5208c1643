/** Step of the build: writes the empty cluster that every new embedded database is copied from. */
import { rename, writeFile } from 'node:fs/promises';
import { PGlite } from '@electric-sql/pglite';

const target = new URL('../../dist/cluster-template.tgz', import.meta.url);
const unfinished = new URL(`${target.href}.${process.pid}`);

const engine = await PGlite.create();
await engine.exec('checkpoint');
const archive = await engine.dumpDataDir('gzip');
await engine.close();
await writeFile(unfinished, new Uint8Array(await archive.arrayBuffer()));
// Replaced at once, because another process may be reading the template of the last build.
await rename(unfinished, target);
