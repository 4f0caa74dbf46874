import type { ApiClient } from './api-client.ts';
import { CommandError } from './command-error.ts';

/** In every mutation that a command sends, beside the data of its success. */
export const FAILURE = /* GraphQL */ `
  fragment Failure on Error {
    __typename
    message
    ... on ValidationError {
      issues {
        path
        message
      }
    }
  }
`;

/** What a mutation answers: its data, or an expected failure as a typed member of the union. */
export interface Outcome<T> {
  data?: T;
  __typename?: string;
  message?: string;
  issues?: { path: string[]; message: string }[];
}

/** Sends a mutation; says what it made. */
export async function mutate<T>(
  client: ApiClient,
  mutation: string,
  variables: { [name: string]: unknown } = {},
  where?: string,
): Promise<T> {
  const answer = await client.request<{ [mutation: string]: Outcome<T> }>(mutation, variables);
  return orFail(Object.values(answer)[0]!, where);
}

/** The data, or the failure: its message, which names a single issue itself, and a line for each of several. */
export function orFail<T>({ data, message = '', issues = [] }: Outcome<T>, where?: string): T {
  if (data !== undefined) return data;
  const several = issues.length > 1 ? issues : [];
  const lines = several.map((issue) => `  ${issue.path.join('.') || '(whole document)'}: ${issue.message}`);
  throw new CommandError([`${where ? `${where}: ` : ''}${message}`, ...lines].join('\n'));
}
