import { open, readFile } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { PlatformError } from '@posthaste/contracts';

/**
 * The bytes that an argument stands for: itself, `@file` the content of a file, `@-` what is typed.
 * @throws PlatformError `REQUEST_INVALID` for a file that cannot be read
 */
export async function readDataArgument(data: string): Promise<Buffer> {
  if (data === '@-') return buffer(process.stdin);
  return data.startsWith('@') ? reading(readFile(data.slice(1))) : Buffer.from(data);
}

/**
 * The content of a file, or for `-` what is typed, bit by bit.
 * @throws PlatformError `REQUEST_INVALID` for a file that cannot be read
 */
export async function openDataFile(file: string): Promise<Readable> {
  return file === '-' ? process.stdin : (await reading(open(file))).createReadStream();
}

async function reading<T>(read: Promise<T>): Promise<T> {
  try {
    return await read;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new PlatformError('REQUEST_INVALID', `the file cannot be read: ${reason}`, { cause });
  }
}
