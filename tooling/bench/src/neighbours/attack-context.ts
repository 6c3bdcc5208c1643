/** Addresses and key that an attack works with. */
export interface AttackContext {
  /** Origin of the gateway. */
  readonly gatewayUrl: string;
  /** Origin of a server that answers 500 below `/fail`, else 200. */
  readonly receiverUrl: string;
  /** API key of the attacker's application, which is named `attacker`. */
  readonly token: string;
  /** Length of the attack. */
  readonly durationMs: number;
}

/** Something that one tenant does, with its own key or with none, to the cost of others. */
export type Attack = (context: AttackContext) => Promise<void>;

/** A call of the API, with the attacker's key. */
export async function call(
  { gatewayUrl, token }: AttackContext,
  path: string,
  request: { readonly method?: string; readonly body?: unknown } = {},
): Promise<unknown> {
  const { method = 'POST', body } = request;
  const isText = typeof body === 'string';
  const response = await fetch(gatewayUrl + path, {
    method,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: isText ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  return text === '' ? undefined : JSON.parse(text);
}

/** Repeats the work until the time of the attack is over. */
export async function repeat(
  { durationMs }: AttackContext,
  work: () => Promise<unknown>,
): Promise<void> {
  const end = performance.now() + durationMs;
  while (performance.now() < end) await work();
}
