import type { CombinedError } from '@urql/core';
import { client } from '../../graphql/client.ts';
import { RunTasksQuery } from '../../graphql/documents/runs.ts';
import type { ResultOf } from '../../graphql/graphql.ts';
import { rowFromSnapshot, type TaskRow } from './task-rows.ts';

const PAGE_SIZE = 200;

export type LoadedRows = { ok: true; rows: TaskRow[] } | { ok: false; error: CombinedError | undefined };

type RunPage = ResultOf<typeof RunTasksQuery>['dagRun'];

const queryPage = (runId: string, after: string | null) =>
  client.query(RunTasksQuery, { runId, first: PAGE_SIZE, after }, { requestPolicy: 'network-only' }).toPromise();

/** All task instances of a run, page after page; `onPage` sees what there is so far. */
export async function loadTaskRows(
  runId: string,
  signal: AbortSignal,
  onPage: (rows: readonly TaskRow[]) => void,
): Promise<LoadedRows> {
  const rows: TaskRow[] = [];
  let after: string | null = null;
  while (!signal.aborted) {
    const { data, error } = await queryPage(runId, after);
    const run: RunPage | undefined = data?.dagRun;
    if (!run) return { ok: false, error };
    const seq = Number(run.cursor);
    for (const edge of run.taskInstances.edges) rows.push(rowFromSnapshot(edge.node, seq));
    if (!run.taskInstances.pageInfo.hasNextPage) break;
    after = run.taskInstances.pageInfo.endCursor;
    if (!signal.aborted) onPage([...rows]);
  }
  return { ok: true, rows };
}
