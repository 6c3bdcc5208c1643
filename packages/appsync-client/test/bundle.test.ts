import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { describe, expect, it } from 'vitest';

/** Bundles an entry point for browsers, as an application does. */
async function bundle(entry: string): Promise<Uint8Array> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL(`../dist/${entry}.js`, import.meta.url))],
    ...{ bundle: true, minify: true, write: false, format: 'esm' },
    platform: 'browser',
    external: ['react'],
  });
  return outputFiles[0]?.contents ?? new Uint8Array();
}

describe('the build for browsers', () => {
  it('has under 10 KB, minified and compressed, and nothing of Node', async () => {
    const code = await bundle('index');
    expect(gzipSync(code).length).toBeLessThan(10_240);
    expect(gzipSync(code).length).toBeGreaterThan(2_000);
    const text = Buffer.from(code).toString();
    expect(text).not.toMatch(/\bnode:|\brequire\(|\bprocess\.|\bBuffer\b/);
  });

  it('has a hook that adds little', async () => {
    expect(gzipSync(await bundle('react')).length).toBeLessThan(1_024);
  });
});
