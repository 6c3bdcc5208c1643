/** Event as a follower receives it. */
export interface FollowedEvent {
  readonly id: string;
  readonly data: { readonly event: { readonly name: string; readonly payload?: unknown } };
}

/** Client of server-sent events. */
export interface Follower {
  readonly response: Response;
  /** Returns everything received so far, as text. */
  text(): string;
  events(): FollowedEvent[];
  names(): string[];
  /** Resolves when the server has ended the stream. */
  readonly ended: Promise<void>;
  /** Disconnects. */
  leave(): void;
}

/** Opens a stream of server-sent events. */
export async function follow(url: string, headers: Record<string, string> = {}): Promise<Follower> {
  const away = new AbortController();
  const response = await fetch(url, {
    headers: { accept: 'text/event-stream', ...headers },
    signal: away.signal,
  });
  let text = '';
  const reading = async (): Promise<void> => {
    const decoder = new TextDecoder();
    for await (const chunk of response.body ?? []) text += decoder.decode(chunk, { stream: true });
  };
  const events = (): FollowedEvent[] =>
    text.split('\n\n').flatMap((block) => {
      const [, id = ''] = /^id: (.*)$/m.exec(block) ?? [];
      const [, data] = /^data: (.*)$/m.exec(block) ?? [];
      return data === undefined ? [] : [{ id, data: JSON.parse(data) }];
    });
  return {
    response,
    text: () => text,
    events,
    names: () => events().map(({ data }) => data.event.name),
    ended: reading().catch(() => undefined),
    leave: () => away.abort(),
  };
}
