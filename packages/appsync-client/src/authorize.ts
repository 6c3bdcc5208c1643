import { isUnauthorized } from './appsync-error.js';
import { type Deadline, withDeadline } from './deadline.js';
import type { Authorization } from './protocol.js';

/** Operation that needs authorization. */
export interface AuthorizationRequest {
  readonly operation: 'connect' | 'subscribe' | 'publish' | 'http';
  /** Text that an IAM signature covers. */
  readonly body: string;
  /** True if the credential that was given last was refused: a cached one must be renewed. */
  readonly isRefused: boolean;
}

/** Function that gives the headers of an operation. */
export type Authorize = (request: AuthorizationRequest) => Authorization | Promise<Authorization>;

/** Operation to authorize, with the limit of its whole time. */
export interface AuthorizedOperation extends Omit<AuthorizationRequest, 'isRefused'> {
  readonly deadline: Deadline;
}

/**
 * Sends an operation with its credential. If the server refuses the credential, sends it once more
 * with a renewed one.
 * @throws AppSyncError `timed_out`, `context_ended`; errors of `authorize` and `send`
 */
export async function withRenewal<Answer>(
  authorize: Authorize,
  { deadline, ...request }: AuthorizedOperation,
  send: (authorization: Authorization, signal: AbortSignal) => Promise<Answer>,
): Promise<Answer> {
  return withDeadline(async (signal) => {
    const authorization = await authorize({ ...request, isRefused: false });
    try {
      signal.throwIfAborted();
      return await send(authorization, signal);
    } catch (error) {
      if (!isUnauthorized(error)) throw error;
      const renewed = await authorize({ ...request, isRefused: true });
      // A fixed key is the same again: the refusal stands.
      if (JSON.stringify(renewed) === JSON.stringify(authorization)) throw error;
      signal.throwIfAborted();
      return send(renewed, signal);
    }
  }, deadline);
}
