import { open, readFile } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { PlatformError } from '@posthaste/contracts';

/**
 * Reads the bytes that an argument stands for: `@file` is the content of a file, `@-` is standard
 * input, anything else is the text itself.
 * @throws PlatformError `REQUEST_INVALID` when a file cannot be read
 */
export async function readDataArgument(data: string): Promise<Buffer> {
  if (data === '@-') return buffer(process.stdin);
  return data.startsWith('@') ? translateReadError(readFile(data.slice(1))) : Buffer.from(data);
}

/**
 * Opens a file, or standard input for `-`, to read it as a stream.
 * @throws PlatformError `REQUEST_INVALID` when the file cannot be read
 */
export async function openDataFile(file: string): Promise<Readable> {
  return file === '-' ? process.stdin : (await translateReadError(open(file))).createReadStream();
}

async function translateReadError<T>(read: Promise<T>): Promise<T> {
  try {
    return await read;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new PlatformError('REQUEST_INVALID', `the file cannot be read: ${reason}`, { cause });
  }
}
