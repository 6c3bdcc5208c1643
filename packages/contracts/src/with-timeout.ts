/**
 * Resolves and rejects as `work` does, or as `onTimeout` does if `work` takes longer than
 * `timeoutMs`. The timer is cleared afterwards. `work` itself is not stopped; its later result or
 * rejection is ignored.
 *
 * @param onTimeout returns the value to resolve with instead, or throws
 */
export function withTimeout<Value, Late>(
  work: PromiseLike<Value>,
  timeoutMs: number,
  onTimeout: () => Late,
): Promise<Value | Late> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      try {
        resolve(onTimeout());
      } catch (error) {
        reject(error);
      }
    }, timeoutMs);
    work.then(
      (value) => {
        clearTimeout(timer);
        resolve(value);
      },
      (error: unknown) => {
        clearTimeout(timer);
        reject(error);
      },
    );
  });
}

/** True if `work` is fulfilled or rejected within `timeoutMs`. Never rejects. */
export function settlesWithin(work: PromiseLike<unknown>, timeoutMs: number): Promise<boolean> {
  const settled = (): true => true;
  return withTimeout(work.then(settled, settled), timeoutMs, () => false);
}
