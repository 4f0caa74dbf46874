import type { CombinedError } from '@urql/core';
import { client } from '../../graphql/client.ts';
import { RunTasksQuery } from '../../graphql/documents/runs.ts';
import { rowFromSnapshot, type TaskRow } from './task-rows.ts';

const PAGE_SIZE = 200;

export type LoadedRows = { ok: true; rows: TaskRow[] } | { ok: false; error: CombinedError | undefined };

/** All task instances of a run, page after page; `onPage` sees what there is so far. */
export async function loadTaskRows(
  runId: string,
  signal: AbortSignal,
  onPage: (rows: readonly TaskRow[]) => void,
): Promise<LoadedRows> {
  const rows: TaskRow[] = [];
  for (let after: string | null = null; !signal.aborted; ) {
    const variables = { runId, first: PAGE_SIZE, after };
    const answer = await client.query(RunTasksQuery, variables, { requestPolicy: 'network-only' }).toPromise();
    const run = answer.data?.dagRun;
    if (!run) return { ok: false, error: answer.error };
    const seq = Number(run.cursor);
    for (const edge of run.taskInstances.edges) rows.push(rowFromSnapshot(edge.node, seq));
    if (!run.taskInstances.pageInfo.hasNextPage) break;
    after = run.taskInstances.pageInfo.endCursor;
    if (!signal.aborted) onPage([...rows]);
  }
  return { ok: true, rows };
}
