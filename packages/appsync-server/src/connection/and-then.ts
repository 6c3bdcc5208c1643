/**
 * Continues with a value at once, or when its promise resolves. Most operations have all they need
 * in memory, and a promise for each of them would cost more than the operation.
 */
export function andThen<Value, Next>(
  value: Value | Promise<Value>,
  next: (value: Value) => Next | Promise<Next>,
): Next | Promise<Next> {
  return value instanceof Promise ? value.then(next) : next(value);
}
