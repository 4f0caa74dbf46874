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

/** What PostgreSQL says of values that it cannot take, by SQLSTATE: they came with the request, which was checked for everything else. */
const REFUSED_VALUES: { [sqlState: string]: string } = {
  '22021': 'A text has a character that cannot be stored.',
  '22P05': 'A text has a character that cannot be stored: NUL.',
  '22P02': 'A value cannot be stored: it is cut within a character, or has not the form that its place needs.',
  '22003': 'A number is out of range.',
  '22008': 'A date is out of range.',
};

const refusedValue = (error: unknown): string | undefined =>
  error instanceof Error && 'severity' in error && 'code' in error ? REFUSED_VALUES[String(error.code)] : undefined;

export function createMaskError(log: Logger) {
  return (error: unknown): GraphQLError => {
    if (isMeant(error)) return error;
    const path = error instanceof GraphQLError ? error.path : undefined;
    const original = error instanceof GraphQLError ? error.originalError : error;
    if (original instanceof NotFoundError)
      return new GraphQLError(original.message, { path, extensions: { code: original.code } });
    const refusal = refusedValue(original);
    if (refusal !== undefined) {
      log.warn({ error: original, path: path?.join('.') }, 'the database refused a value of a request');
      return new GraphQLError(refusal, { path, extensions: { code: 'BAD_USER_INPUT' } });
    }
    const errorId = randomUUID();
    log.error({ error: original, errorId, path: path?.join('.') }, 'unexpected error');
    return new GraphQLError(`Something went wrong in the service. The id ${errorId} leads to it in the log.`, {
      path,
      extensions: { code: 'INTERNAL_SERVER_ERROR', errorId },
    });
  };
}
