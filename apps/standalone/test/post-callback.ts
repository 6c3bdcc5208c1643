/**
 * Sends a callback with 100 retries and returns its id.
 * @throws Error when it is refused
 */
export async function postCallback(
  platformUrl: string,
  receiverUrl: string,
  more: Readonly<Record<string, unknown>> = {},
): Promise<string> {
  const response = await fetch(`${platformUrl}/v1/callbacks`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      url: receiverUrl,
      retry: { phases: [{ retries: 100, delayMs: 200 }] },
      ...more,
    }),
  });
  const answer = (await response.json()) as { id: string };
  if (response.status !== 201) throw new Error(`${response.status}: ${JSON.stringify(answer)}`);
  return answer.id;
}
