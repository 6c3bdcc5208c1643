/** Extension of the protocol. AWS has none: a client asks for them in `connection_init`. */
export type Extension = 'resume' | 'presence' | 'channel';

/** Extensions that a connection uses. */
export type Extensions = ReadonlySet<Extension>;

const known: readonly Extension[] = ['resume', 'presence', 'channel'];

/** Returns the known extensions that a client asks for; undefined if it asks for nothing. */
export function parseExtensions(asked: unknown): Extension[] | undefined {
  if (!Array.isArray(asked)) return undefined;
  return known.filter((extension) => asked.includes(extension));
}

/** Place after which a subscriber wants to go on. */
export interface ResumeRequest {
  /** Undefined if it is no text. */
  readonly epoch: string | undefined;
  /** Position of the last event that the subscriber has got. Undefined if it is no position. */
  readonly position: bigint | undefined;
}

const positionPattern = /^(?:-1|\d{1,18})$/;

/** Parses the field `resume` of a subscribe frame. Returns undefined if there is none. */
export function parseResume(resume: unknown): ResumeRequest | undefined {
  if (resume === undefined || resume === null) return undefined;
  const { epoch, position } = resume as Readonly<Record<string, unknown>>;
  const isPosition = typeof position === 'string' && positionPattern.test(position);
  return {
    epoch: typeof epoch === 'string' ? epoch : undefined,
    position: isPosition ? BigInt(position) : undefined,
  };
}
