import type { Writable } from 'node:stream';
import { PlatformError } from '@posthaste/contracts';
import type { AppendRequest, Driver } from '../driver.js';
import { createNoneDriver } from './none.js';

/**
 * Creates a driver for development: it writes every event as one line of JSON and delivers none.
 * @param output default: the standard output of the process
 */
export function createStdoutDriver(output: Writable = process.stdout): Driver {
  return {
    ...createNoneDriver(),
    append: ({ records }: AppendRequest) => {
      const lines = records.map(({ value }) => `${value?.toString() ?? 'null'}\n`);
      return write(output, lines.join(''));
    },
  };
}

/**
 * Writes the text. Resolves when it has left this process, so that a slow terminal slows
 * publishers.
 */
function write(output: Writable, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    output.write(text, (cause) => {
      if (cause) reject(new PlatformError('STREAM_CLOSED', 'the output was closed', { cause }));
      else resolve();
    });
  });
}
