import { type AppSyncError, toAppSyncError } from './appsync-error.js';

/**
 * Calls a function of the application. An error that it throws stays visible, as an uncaught one, but
 * only later: it must not stop the client.
 * @returns an error with it as the cause; undefined if it has thrown none
 */
export function callListener(call: () => void): AppSyncError | undefined {
  try {
    call();
    return undefined;
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
    return toAppSyncError(error);
  }
}
