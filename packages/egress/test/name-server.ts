import { createSocket } from 'node:dgram';
import { onTestFinished } from 'vitest';

const typeA = 1;
const noSuchName = 3;
const questionStart = 12;

/**
 * Starts a name server that responds as `answerTo` says: with an address, with "no such name"
 * (`null`), or not at all (`undefined`). Resolves to its address. It is closed after the test.
 */
export async function startNameServer(
  answerTo: (name: string) => string | null | undefined,
): Promise<string> {
  const socket = createSocket('udp4');
  socket.on('message', (question, from) => {
    const { name, end } = readName(question);
    const address = answerTo(name);
    if (address === undefined) return;
    const isKnown = address !== null && question.readUInt16BE(end) === typeA;
    const head = Buffer.from(question.subarray(0, end + 4));
    head.writeUInt16BE(0x8180 | (address === null ? noSuchName : 0), 2);
    head.writeUInt16BE(isKnown ? 1 : 0, 6);
    head.writeUInt32BE(0, 8);
    socket.send(isKnown ? Buffer.concat([head, toRecord(address)]) : head, from.port, from.address);
  });
  onTestFinished(() => void socket.close());
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  return `127.0.0.1:${socket.address().port}`;
}

function readName(question: Buffer): { name: string; end: number } {
  const labels: string[] = [];
  let at = questionStart;
  for (let length = question[at] ?? 0; length > 0; length = question[at] ?? 0) {
    labels.push(question.toString('latin1', at + 1, at + 1 + length));
    at += 1 + length;
  }
  return { name: labels.join('.'), end: at + 1 };
}

/** Returns an A record for the name of the question, valid for one minute. */
function toRecord(address: string): Buffer {
  const head = Buffer.from([0xc0, questionStart, 0, typeA, 0, 1, 0, 0, 0, 60, 0, 4]);
  return Buffer.concat([head, Buffer.from(address.split('.').map(Number))]);
}
