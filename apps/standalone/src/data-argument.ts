import { readFile } from 'node:fs/promises';
import { buffer } from 'node:stream/consumers';

/** The bytes that an argument stands for: itself, `@file` the content of a file, `@-` what is typed. */
export async function readDataArgument(data: string): Promise<Buffer> {
  if (data === '@-') return buffer(process.stdin);
  return data.startsWith('@') ? readFile(data.slice(1)) : Buffer.from(data);
}
