import type { ChannelPath } from '@posthaste/contracts';
import type { AuthRequest, Operation } from '../auth/authorizer.js';

/** Credential of one frame. */
export class OperationRequest implements AuthRequest {
  readonly headers: Readonly<Record<string, string>>;
  readonly channel: ChannelPath | undefined;
  readonly client: AuthRequest['client'];
  readonly #body: object;

  constructor(
    readonly operation: Operation,
    request: Pick<AuthRequest, 'headers' | 'channel' | 'client'> & { readonly body: object },
  ) {
    this.headers = request.headers;
    this.channel = request.channel;
    this.client = request.client;
    this.#body = request.body;
  }

  /** Written only when asked for: an IAM signature needs it, other modes do not. */
  get body(): string {
    return JSON.stringify(this.#body);
  }
}
