import { describe, expect, it } from 'vitest';
import { RequestReader } from './request-reader.js';

const post = (path: string, body: string) =>
  `POST ${path} HTTP/1.1\r\nhost: a\r\nContent-Length: ${body.length}\r\n\r\n${body}`;

/** Returns the first lines of the requests in these chunks. */
function readAll(chunks: readonly string[]): string[] {
  const lines: string[] = [];
  const reader = new RequestReader((head) => lines.push(head.split('\r\n')[0] ?? ''));
  for (const chunk of chunks) reader.read(Buffer.from(chunk, 'latin1'));
  return lines;
}

describe('RequestReader', () => {
  it('reads a request that arrives in one chunk', () => {
    expect(readAll([post('/a', 'body')])).toEqual(['POST /a HTTP/1.1']);
  });

  it('reads requests that arrive byte by byte', () => {
    const bytes = [...(post('/a', 'x\r\n\r\ny') + post('/b', ''))];
    expect(readAll(bytes)).toEqual(['POST /a HTTP/1.1', 'POST /b HTTP/1.1']);
  });

  it('reads several requests from one chunk', () => {
    const get = 'GET /c HTTP/1.1\r\nhost: a\r\n\r\n';
    const lines = readAll([post('/a', 'one') + get + post('/b', 'two')]);
    expect(lines).toEqual(['POST /a HTTP/1.1', 'GET /c HTTP/1.1', 'POST /b HTTP/1.1']);
  });

  it('reports a request only when its body is complete', () => {
    const text = post('/a', 'long body');
    expect(readAll([text.slice(0, -1)])).toEqual([]);
    expect(readAll([text.slice(0, -1), text.slice(-1)])).toHaveLength(1);
  });

  it('refuses bodies of unknown length', () => {
    const chunked = 'POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n';
    expect(() => readAll([chunked])).toThrow('transfer-encoding');
  });

  it('refuses an endless head', () => {
    expect(() => readAll(['GET / HTTP/1.1\r\n', 'x'.repeat(20_000)])).toThrow('too large');
  });
});
