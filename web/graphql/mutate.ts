import type { AnyVariables, TypedDocumentNode } from '@urql/core';
import { t } from '../messages/common.ts';
import { client } from './client.ts';

export interface Issue {
  /** The field of the input it is about, such as `settings.url`; '' when it is about all of it. */
  path: string;
  message: string;
}
export interface Problem {
  title: string;
  issues: readonly Issue[];
}
export type Outcome<Data> = { ok: true; data: Data } | { ok: false; problem: Problem };

/** What every mutation of the service answers with: `data`, or one of its typed errors. */
interface Answer {
  __typename: string;
  data?: unknown;
  message?: string;
  issues?: readonly { path: readonly string[]; message: string }[];
}
type DataOf<Result> = Extract<Result[keyof Result], { data: unknown }>['data'];

/**
 * Sends a mutation. Nothing on the page changes by it but what the service has confirmed: the cache takes its answer.
 * Documents ask for `__typename`, `data`, and the `message` of each of its errors.
 */
export async function mutate<Result extends object, Variables extends AnyVariables>(
  document: TypedDocumentNode<Result, Variables>,
  variables: Variables,
): Promise<Outcome<DataOf<Result>>> {
  const { data, error } = await client.mutation(document, variables).toPromise();
  const answer = data && (Object.values(data)[0] as Answer | undefined);
  if (answer && 'data' in answer) return { ok: true, data: answer.data as DataOf<Result> };
  const title = answer?.message ?? error?.graphQLErrors[0]?.message ?? t().errors.network;
  const issues = answer?.issues?.map(({ path, message }) => ({ path: path.join('.'), message }));
  return { ok: false, problem: { title, issues: issues ?? [] } };
}
