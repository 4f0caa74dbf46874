/** Tasks with code, from the launcher to their end: what runs in their Pods speaks to a real server. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeCluster } from '../helpers/cluster.ts';
import { createTestDatabase } from '../helpers/database.ts';
import type { Launching } from '../helpers/launching.ts';
import { launchingWithService, type LaunchingService } from '../helpers/launching-service.ts';
import { hasMillraceImage, WITHOUT_IMAGE } from '../helpers/millrace-image.ts';
import { waitFor } from '../helpers/wait-for.ts';

const database = await createTestDatabase();

describeCluster('the launcher and tasks with code', (cluster) => {
  let service: LaunchingService;
  let launching: Launching;
  beforeAll(async () => {
    service = await launchingWithService(database, cluster());
    launching = service.launching;
    await launching.launch();
  }, 120_000);
  afterAll(() => service.stop());
  const task = (command: string) => ({ kind: 'bash', executor: 'kubernetes', command, retries: 0 });
  const pods = async () => (await cluster().client.listPods(cluster().namespace)).items;

  it('succeed one after the other, and leave nothing', { timeout: 120_000 }, async ({ skip }) => {
    skip(!hasMillraceImage(), WITHOUT_IMAGE);
    const first = { taskId: 'first', ...task('echo one') };
    const second = { taskId: 'second', ...task('echo "{{ ti.xcom_pull(\'first\') }} and two"'), upstream: ['first'] };
    const runId = await launching.start({ dagId: 'code', tasks: [first, second] as never });
    expect(await launching.ended(runId)).toEqual({ first: 'success', second: 'success' });
    expect(await launching.output(runId)).toEqual(['one', 'one and two']);
    expect(await launching.tries(runId)).toMatchObject([{ cause: 'ok' }, { cause: 'ok' }]);
    await launching.tidy();
    expect(await pods()).toEqual([]);
  });

  it('go with their Pods when they are cancelled', { timeout: 120_000 }, async ({ skip }) => {
    skip(!hasMillraceImage(), WITHOUT_IMAGE);
    const endless = { taskId: 'a', ...task('echo begun; sleep 600') };
    const runId = await launching.start({ dagId: 'endless', tasks: [endless] as never });
    await waitFor(
      async () => {
        const { rows } = await database.pool.query('select from log_chunk where run_id = $1', [runId]);
        return rows.length > 0;
      },
      { what: 'the task to begin', timeoutMs: 60_000 },
    );
    await launching.engine.cancelRun(runId, 'test');
    expect(await launching.ended(runId)).toEqual({ a: 'cancelled' });
    await launching.tidy();
    expect(await pods()).toEqual([]);
  });
});
