/** An event as a follower gets it. */
export interface FollowedEvent {
  readonly id: string;
  readonly data: { readonly event: { readonly name: string; readonly payload?: unknown } };
}

/** A client of server-sent events. */
export interface Follower {
  readonly response: Response;
  /** Everything that came, as text. */
  text(): string;
  events(): FollowedEvent[];
  names(): string[];
  /** Resolves when the server has ended it. */
  readonly ended: Promise<void>;
  /** Goes away. */
  leave(): void;
}

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
