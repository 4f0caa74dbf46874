/** Expected failures. A mutation lists those it may answer with; a client switches on the type or reads `message`. */
import { GraphQLError } from 'graphql';
import { builder } from './builder.ts';
import { ValidationError, type ValidationIssue } from './validation-error.ts';

export class NotFoundError extends Error {
  readonly code = 'NOT_FOUND';
  constructor(what: string) {
    super(`There is no ${what}.`);
    this.name = 'NotFoundError';
  }
}

export class ConflictError extends Error {
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.name = 'ConflictError';
    this.code = code;
  }
}

/** A malformed argument where the result has no error members: told as a plain GraphQL error. */
export const badInput = (message: string): GraphQLError =>
  new GraphQLError(message, { extensions: { code: 'BAD_USER_INPUT' } });

/** As `badInput`, for subscriptions of what is not there. */
export const notFound = (what: string): GraphQLError =>
  new GraphQLError(`There is no ${what}.`, { extensions: { code: 'NOT_FOUND' } });

/** A log is there, but cannot be read now or from here: says which store and what to do. */
export const logUnavailable = (message: string, cause?: unknown): GraphQLError =>
  Object.assign(new GraphQLError(message, { extensions: { code: 'LOG_UNAVAILABLE' } }), { cause });

const ErrorInterface = builder.interfaceRef<Error>('Error').implement({
  description: 'An expected failure.',
  fields: (t) => ({ message: t.exposeString('message', { description: 'For people: what is wrong and what to do.' }) }),
});

builder.objectType(NotFoundError, {
  name: 'NotFoundError',
  description: 'What was named does not exist.',
  interfaces: [ErrorInterface],
  fields: (t) => ({ code: t.exposeString('code', { description: 'For programs: `NOT_FOUND`.' }) }),
});

builder.objectType(ConflictError, {
  name: 'ConflictError',
  description: 'The state of things does not allow it.',
  interfaces: [ErrorInterface],
  fields: (t) => ({
    code: t.exposeString('code', { description: 'For programs: which conflict, e.g. `RUN_FINISHED`.' }),
  }),
});

const ValidationIssueType = builder.objectRef<ValidationIssue>('ValidationIssue').implement({
  description: 'One mistake in the input.',
  fields: (t) => ({
    path: t.exposeStringList('path', { description: 'Where: field names and list indexes from the input down.' }),
    message: t.exposeString('message', { description: 'What is wrong there.' }),
  }),
});

builder.objectType(ValidationError, {
  name: 'ValidationError',
  description: 'The input is not valid. Every mistake is listed.',
  interfaces: [ErrorInterface],
  fields: (t) => ({
    issues: t.field({ type: [ValidationIssueType], description: 'All mistakes.', resolve: (error) => error.issues }),
  }),
});

export { ValidationError };
