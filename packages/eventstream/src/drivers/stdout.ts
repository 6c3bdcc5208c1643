import type { Writable } from 'node:stream';
import { PlatformError } from '@posthaste/contracts';
import type { AppendRequest, Driver } from '../driver.js';
import { createNoneDriver } from './none.js';

/**
 * A stream for development: writes every event as one line of JSON, and brings nothing.
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

/** Resolves when the text has left this process: a slow terminal holds publishers back. */
function write(output: Writable, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    output.write(text, (cause) => {
      if (cause) reject(new PlatformError('STREAM_CLOSED', 'the output was closed', { cause }));
      else resolve();
    });
  });
}
