import { afterAll, beforeAll, expect, it } from 'vitest';
import { startTestApp, type TestApp } from '../../helpers/app.ts';
import { runCli } from '../../helpers/cli.ts';
import { createTestDatabase } from '../../helpers/database.ts';
import { dagOf } from '../../helpers/engine.ts';

const database = await createTestDatabase();
let app: TestApp;
let env: { [name: string]: string };
beforeAll(async () => {
  app = await startTestApp(database);
  env = { MILLRACE_URL: app.url(), MILLRACE_TOKEN: await app.token('editor') };
});
afterAll(() => app.stop());
const millrace = (...args: string[]) => runCli(args, env);

it('millrace queues lists, pauses, resumes, describes and forgets them', async () => {
  const { dagId } = await app.engine.deploy(dagOf('d', { a: { queue: 'gpu' } }));
  await app.engine.createRuns([{ dagId, kind: 'manual' }]);
  expect(await millrace('queues', 'pause', 'gpu')).toMatchObject({
    code: 0,
    stdout: 'gpu: paused by token editor, 1 ready, 0 workers\n',
  });
  const { stdout } = await millrace('queues');
  expect(stdout).toMatch(/^NAME +PAUSED +DEPTH .*\ngpu +by token editor +1 +\d+ s +0 +0 +0\/0\n$/);
  expect(await millrace('queues', 'resume', 'gpu')).toMatchObject({ stdout: 'gpu: open, 1 ready, 0 workers\n' });
  expect(await millrace('queues', 'set', 'spare', '--description', 'for later')).toMatchObject({ code: 0 });
  const listed = JSON.parse((await millrace('queues', 'list', '--json')).stdout);
  expect(listed).toMatchObject([
    { name: 'gpu', paused: false, figures: { depth: 1, consumers: 0 } },
    { name: 'spare', description: 'for later', figures: { depth: 0, oldestSeconds: null } },
  ]);
  expect(await millrace('queues', 'delete', 'spare')).toMatchObject({ code: 0, stdout: 'spare is gone\n' });
  expect(await millrace('queues', 'delete', 'gpu')).toMatchObject({
    code: 1,
    stderr: 'Queue "gpu" is in use: tasks stand in it. It would be there again at once.\n',
  });
  expect(await millrace('queues', 'pause', 'nowhere')).toMatchObject({
    code: 1,
    stderr: 'There is no queue "nowhere": no task names it and no worker serves it.\n',
  });
});
