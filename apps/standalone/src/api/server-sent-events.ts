/** One message of a stream of server-sent events. */
export interface ServerSentEvent {
  /** Where to go on after it; the last one that was told. Empty: none was. */
  readonly id: string;
  /** Absent: it only tells the id. */
  readonly data: string | undefined;
}

/** Reads `text/event-stream`, as far as a gateway writes it: ids, data and comments. */
export async function* readServerSentEvents(
  bytes: AsyncIterable<Uint8Array>,
): AsyncGenerator<ServerSentEvent, void> {
  const decoder = new TextDecoder();
  let rest = '';
  let id = '';
  for await (const chunk of bytes) {
    const blocks = (rest + decoder.decode(chunk, { stream: true })).split('\n\n');
    // What has not ended yet; at the end of the stream it never will.
    rest = blocks.pop() ?? '';
    for (const block of blocks) {
      const fields = toFields(block);
      id = fields.get('id') ?? id;
      yield { id, data: fields.get('data') };
    }
  }
}

function toFields(block: string): ReadonlyMap<string, string> {
  const fields = new Map<string, string>();
  for (const line of block.split('\n')) {
    const colon = line.indexOf(': ');
    if (colon > 0) fields.set(line.slice(0, colon), line.slice(colon + 2));
  }
  return fields;
}
