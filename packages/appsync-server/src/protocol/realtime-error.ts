import { PlatformError } from '@posthaste/contracts';

/** Entry of `errors` in frames and HTTP answers. */
export interface ErrorEntry {
  readonly errorType: string;
  readonly errorCode?: number;
  readonly message?: string;
}

/** Refusal of an operation, in the terms of the protocol. Types and codes: spec of the protocol, §1.5. */
export class RealtimeError extends PlatformError {
  readonly errorType: string;
  readonly errorCode: number | undefined;
  readonly #showsMessage: boolean;

  /** @param message absent: none is shown, as AWS does for unknown namespaces */
  constructor(errorType: string, errorCode?: number, message?: string) {
    super('REALTIME_REFUSED', message ?? errorType);
    this.name = 'RealtimeError';
    this.errorType = errorType;
    this.errorCode = errorCode;
    this.#showsMessage = message !== undefined;
  }

  toEntry(): ErrorEntry {
    return {
      errorType: this.errorType,
      ...(this.errorCode === undefined ? {} : { errorCode: this.errorCode }),
      ...(this.#showsMessage ? { message: this.message } : {}),
    };
  }
}
