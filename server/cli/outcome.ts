import { CommandError } from './command-error.ts';

/** What a mutation answers: its data, or an expected failure as a typed member of the union. */
export interface Outcome<T> {
  __typename: string;
  data?: T;
  message?: string;
  issues?: { path: string[]; message: string }[];
}

/** The data, or the failure as a line per issue. */
export function orFail<T>({ __typename, data, message, issues }: Outcome<T>, where?: string): T {
  if (data !== undefined) return data;
  const lines = (issues ?? []).map((issue) => `  ${issue.path.join('.') || '(whole document)'}: ${issue.message}`);
  throw new CommandError([`${where ? `${where}: ` : ''}${message ?? __typename}`, ...lines].join('\n'));
}
