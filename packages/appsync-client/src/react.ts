import { useEffect, useRef, useState } from 'react';
import type { WebSocketClient } from './client.js';
import type { SubscriptionMessage } from './protocol.js';

/** State of a subscription of a component. */
export type SubscriptionStatus =
  | { readonly status: 'idle' | 'subscribing' | 'subscribed' }
  | { readonly status: 'failed'; readonly error: Error };

/**
 * Subscribes while the component is mounted, and again when the channel changes. `onMessage` may be
 * a new function at each render.
 *
 * @param client undefined while there is none yet: nothing is subscribed to
 */
export function useSubscription(
  client: WebSocketClient | undefined,
  channel: string,
  onMessage: (message: SubscriptionMessage) => void,
): SubscriptionStatus {
  const [state, setState] = useState<SubscriptionStatus>({ status: 'idle' });
  const latest = useRef(onMessage);
  useEffect(() => {
    latest.current = onMessage;
  });
  useEffect(() => {
    if (!client) return undefined;
    let isMounted = true;
    const abort = new AbortController();
    const report = (next: SubscriptionStatus): void => {
      if (isMounted) setState(next);
    };
    report({ status: 'subscribing' });
    try {
      const subscription = client.subscribe(channel, {
        signal: abort.signal,
        onMessage: (message) => {
          if (isMounted) latest.current(message);
        },
        onEnd: (error) => report(error ? { status: 'failed', error } : { status: 'idle' }),
      });
      subscription.ready.then(
        () => report({ status: 'subscribed' }),
        (error: Error) => report({ status: 'failed', error }),
      );
    } catch (error) {
      report({ status: 'failed', error: error as Error });
    }
    return () => {
      isMounted = false;
      abort.abort();
    };
  }, [client, channel]);
  return state;
}
