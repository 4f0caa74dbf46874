/** Something is wrong with the template or its values: the message is for its author. */
export class JinjaError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'JinjaError';
  }
}
