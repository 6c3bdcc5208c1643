/**
 * Key of the callbacks that count as one in a fair claim: those of one application to one origin,
 * and those to an endpoint apart from the others. Claims go round the keys that have due callbacks,
 * so that the backlog of a slow origin costs the others nothing.
 *
 * As text, and in the column `lane`, it is `origin \n application [\n endpoint]`: the keys of an
 * origin, and within it those of an application, are neighbours in the index.
 */
export interface FairnessKey {
  /** Scheme, host and port, as `URL.origin` gives it. */
  readonly origin: string;
  readonly application: string;
  readonly endpointId: string | undefined;
}

const separator = '\n';

/** Writes a key as text. */
export function toFairnessKey({ origin, application, endpointId }: FairnessKey): string {
  const key = origin + separator + application;
  return endpointId === undefined ? key : key + separator + endpointId;
}

const maxRemembered = 4_096;
const remembered = new Map<string, FairnessKey>();

/**
 * Reads a key from its text. Called several times for each delivery, and with few different keys at
 * a time: each text is parsed once.
 */
export function parseFairnessKey(text: string): FairnessKey {
  const known = remembered.get(text);
  if (known) return known;
  const [origin = '', application = '', endpointId] = text.split(separator);
  const key = { origin, application, endpointId };
  if (remembered.size >= maxRemembered) remembered.clear();
  remembered.set(text, key);
  return key;
}
