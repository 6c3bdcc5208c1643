/**
 * A lane is what claims are fair between: the callbacks of one application to one origin, those of
 * one endpoint apart. Claims walk the lanes that have work, so that the backlog of a slow origin
 * costs the others nothing.
 *
 * As text it is `origin \n application [\n endpoint]`: lanes of an origin, and in it of an
 * application, stand together in the index.
 */
export interface FairnessKey {
  /** Scheme, host and port, as `URL.origin` gives it. */
  readonly origin: string;
  readonly application: string;
  readonly endpointId: string | undefined;
}

const separator = '\n';

export function toFairnessKey(lane: FairnessKey): string {
  const key = lane.origin + separator + lane.application;
  return lane.endpointId === undefined ? key : key + separator + lane.endpointId;
}

const maxRemembered = 4_096;
const remembered = new Map<string, FairnessKey>();

/** Several times for each delivery, and of few lanes at a time: each is taken apart once. */
export function parseFairnessKey(key: string): FairnessKey {
  const known = remembered.get(key);
  if (known) return known;
  const [origin = '', application = '', endpointId] = key.split(separator);
  const lane = { origin, application, endpointId };
  if (remembered.size >= maxRemembered) remembered.clear();
  remembered.set(key, lane);
  return lane;
}
