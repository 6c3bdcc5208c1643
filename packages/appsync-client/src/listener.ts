/**
 * Calls a function of the application. An error that it throws stays visible, as an uncaught one, but
 * only later: it must not stop the client.
 * @returns false if it has thrown
 */
export function callListener(call: () => void): boolean {
  try {
    call();
    return true;
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
    return false;
  }
}
