/** Why a notification did not arrive. */
export class DeliveryError extends Error {
  /** Sending the same again is of no use. */
  readonly isFinal: boolean;
  /** Seconds that the other side asks us to wait; null: it does not say. */
  readonly retryAfter: number | null;
  constructor(
    message: string,
    {
      isFinal = false,
      retryAfter = null,
      cause,
    }: { isFinal?: boolean; retryAfter?: number | null; cause?: unknown } = {},
  ) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'DeliveryError';
    this.isFinal = isFinal;
    this.retryAfter = retryAfter;
  }
}
