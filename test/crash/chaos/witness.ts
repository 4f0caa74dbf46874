/** What the tasks wrote down by themselves, against what the service says of them. */
import { readFileSync } from 'node:fs';
import type pg from 'pg';
import { instanceKey } from '#db/replay/flow-rules.ts';
import type { RunRecord } from '#db/replay/run-record.ts';

export interface Witnessed {
  runId: number;
  /** `3`, or `3.0` of a mapped one. */
  key: string;
  uuid: string;
  starts: number;
  ends: number;
}

/** By dispatch. */
export function readWitness(file: string): Map<string, Witnessed> {
  const seen = new Map<string, Witnessed>();
  for (const line of readFileSync(file, 'utf8').split('\n').filter(Boolean)) {
    const [dispatchId = '', phase] = line.split(' ');
    const [run, task, map, uuid = ''] = dispatchId.split('.');
    const one = seen.get(uuid) ?? {
      runId: Number(run),
      key: instanceKey({ taskIndex: Number(task), mapIndex: Number(map) }),
      uuid,
      starts: 0,
      ends: 0,
    };
    seen.set(uuid, one);
    if (phase === 'start') one.starts += 1;
    else if (phase === 'end') one.ends += 1;
    else throw new Error(`A witness wrote "${line}".`);
  }
  return seen;
}

const CODE: ReadonlySet<string> = new Set(['bash', 'python', 'typescript', 'branch']);

/**
 * Who succeeded has run to its end, under the dispatch that is recorded. A try whose code has begun is recorded under that dispatch: it
 * was relaunched for free only where nothing had begun. Nothing ran twice under one dispatch, nor more often than it may be tried.
 */
export function witnessProblems(records: readonly RunRecord[], seen: ReadonlyMap<string, Witnessed>): string[] {
  const recorded = new Map(records.flatMap(({ tries }) => tries.map((one) => [one.dispatch_id ?? '', one] as const)));
  const unfounded = records.flatMap(({ run, spec, tries }) =>
    tries.flatMap((one) => {
      const task = spec.tasks[one.task_index];
      const runsCode = task !== undefined && CODE.has(task.kind);
      const witness = seen.get(one.dispatch_id ?? '');
      return runsCode && one.outcome === 'success' && witness?.ends !== 1
        ? [`run ${run.id} task ${nameOf(one)}#${one.try_number} succeeded, its code ended ${witness?.ends ?? 0} times`]
        : [];
    }),
  );
  const witnessed = [...seen.values()].flatMap(({ runId, key, uuid, starts }) => [
    ...(starts === 1 ? [] : [`dispatch ${uuid} of run ${runId} task ${key} started ${starts} times`]),
    ...(recorded.has(uuid) ? [] : [`code of run ${runId} task ${key} began in dispatch ${uuid}, which no try records`]),
  ]);
  const tooMany = records.flatMap(({ run, instances, tries }) =>
    instances.flatMap((row) => {
      const count = tries.filter((one) => nameOf(one) === nameOf(row)).length;
      return count > row.max_tries ? [`run ${run.id} task ${nameOf(row)} had ${count} tries of ${row.max_tries}`] : [];
    }),
  );
  return [...unfounded, ...witnessed, ...tooMany];
}

const nameOf = (place: { task_index: number; map_index: number }): string =>
  instanceKey({ taskIndex: place.task_index, mapIndex: place.map_index });

/** The log of every try that its runner ended is there from the first byte to the last that it told of. */
export async function logProblems(pool: pg.Pool): Promise<string[]> {
  const { rows } = await pool.query<{ text: string }>(`
    select format('run %s task %s.%s#%s (%s) has %s of %s bytes of log in %s pieces, last line %s', y.run_id, y.task_index, y.map_index,
      y.try_number, y.cause, coalesce(l.bytes, 0), y.log_bytes, coalesce(l.pieces, 0), l.has_last) as text
    from task_try y
    left join lateral (
      select sum(octet_length(body)) as bytes, count(*) as pieces, max(byte_offset + octet_length(body)) as until,
        bool_or(body like '%last line%') as has_last
      from log_chunk c where c.run_id = y.run_id and c.dispatch_id = y.dispatch_id) l on true
    where y.cause in ('ok', 'exit_code') and y.worker_id is not null
      and (coalesce(l.bytes, 0) <> y.log_bytes or coalesce(l.until, 0) <> y.log_bytes or (y.outcome = 'success' and not coalesce(l.has_last, false)))
    order by 1 limit 20`);
  return rows.map((row) => row.text);
}
