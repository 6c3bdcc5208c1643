/**
 * Of partitions of `eventstream.record`. Nothing in them is ever changed or removed, they are dropped
 * long before anything would have to be frozen, and every query goes by their one index: there is
 * nothing that autovacuum could do for them but read all of it again and again.
 */
export const recordStorage: string = 'autovacuum_enabled = false, toast.autovacuum_enabled = false';
