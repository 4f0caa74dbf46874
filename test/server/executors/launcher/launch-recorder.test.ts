/** Where tries ran, written down together. */
import { expect, it } from 'vitest';
import type { LaunchRecord } from '#db/queries/launch-views.ts';
import { ensurePartitions, spanOf } from '#db/queries/partitions.ts';
import { createLaunchRecorder } from '#server/executors/launcher/launch-recorder.ts';
import { createTestDatabase } from '../../../helpers/database.ts';

const { pool } = await createTestDatabase();

const recordOf = (runId: number, node: string): LaunchRecord => ({
  launch: { runId, taskIndex: 0, mapIndex: -1, tryNumber: 1 },
  facts: {
    ...{ cluster: 'default', kind: 'pod', namespace: 'n', name: 'x', uid: null, node, events: [] },
    ...{ createdAt: null, scheduledAt: null, startedAt: null, finishedAt: null },
  },
});

it('what cannot be written keeps nobody else from it, and of one try the last stays', async () => {
  await ensurePartitions(pool);
  const errors: unknown[] = [];
  const recorder = createLaunchRecorder(pool, (error) => errors.push(error));
  // No table has a place for such a run
  const lost = recordOf(1, 'nowhere');
  const first = Number(spanOf(new Date()).from);
  const records = [recordOf(first, 'a'), recordOf(first, 'b'), lost, recordOf(first + 1, 'half \ud800, nul \u0000')];
  await Promise.all(records.map((record) => recorder.save(record)));
  await recorder.stop();
  const { rows } = await pool.query(`select run_id, facts ->> 'node' as node from launch_record order by run_id`);
  expect(rows).toEqual([
    { run_id: first, node: 'b' },
    { run_id: first + 1, node: 'half \ufffd, nul \ufffd' },
  ]);
  expect(errors).toHaveLength(1);
});
