/** Unexpected errors are told to the log in full and to the client by an id. */
import { randomUUID } from 'node:crypto';
import { GraphQLError } from 'graphql';
import { NotFoundError } from '#schema/errors.ts';
import type { Logger } from '../log.ts';

/** Thrown on purpose, or made by graphql itself: parsing, validation, coercion. */
function isMeant(error: unknown): error is GraphQLError {
  if (!(error instanceof GraphQLError)) return false;
  return error.originalError === undefined || error.originalError === null || isMeant(error.originalError);
}

export function createMaskError(log: Logger) {
  return (error: unknown): GraphQLError => {
    if (isMeant(error)) return error;
    const path = error instanceof GraphQLError ? error.path : undefined;
    const original = error instanceof GraphQLError ? error.originalError : error;
    if (original instanceof NotFoundError)
      return new GraphQLError(original.message, { path, extensions: { code: original.code } });
    const errorId = randomUUID();
    log.error({ error: original, errorId, path: path?.join('.') }, 'unexpected error');
    return new GraphQLError(`Something went wrong in the service. The id ${errorId} leads to it in the log.`, {
      path,
      extensions: { code: 'INTERNAL_SERVER_ERROR', errorId },
    });
  };
}
