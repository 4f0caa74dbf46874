/** Who is told what, when. */
import { createHmac } from 'node:crypto';
import { afterAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import type { DagSpec } from '#sdk/dag-spec.ts';
import type { NotifyRule, TaskNotifyRule } from '#sdk/notify.ts';
import type { Dispatch, ReportOutcome, TaskReport } from '#sdk/protocol.ts';
import { appendLogChunks } from '#db/queries/log.ts';
import { retryNotification } from '#db/queries/notifications.ts';
import { wakeRetries } from '#server/scheduler/wake-retries.ts';
import { checkRuns } from '../helpers/check-runs.ts';
import { createTestDatabase } from '../helpers/database.ts';
import { createTestEngine, dagOf, runStateOf, work } from '../helpers/engine.ts';
import { addConnection, startTestNotifications, told } from '../helpers/notifications.ts';
import { startHttpReceiver, startMailReceiver } from '../helpers/receivers.ts';
import { waitFor } from '../helpers/wait-for.ts';

const database = await createTestDatabase();
const { db, pool } = database;
const engine = createTestEngine(database);
const worker = await engine.worker();
const notifications = await startTestNotifications(database, engine);
const hook = await startHttpReceiver();
const mail = await startMailReceiver({ user: 'robot@example.com', password: 'geheim-1' });
await addConnection(database, 'hook', { host: `${hook.url}/in`, password: 'shared-secret' });
await addConnection(database, 'slack', { kind: 'slack', host: `${hook.url}/slack` });
await addConnection(database, 'mail', {
  ...{ kind: 'smtp', host: '127.0.0.1', port: mail.port, login: 'robot@example.com', password: 'geheim-1' },
  extra: { tls: false, from: 'Millrace <robot@example.com>', to: ['team@example.com'] },
});
afterAll(async () => {
  await notifications.stop();
  await Promise.all([engine.stop(), hook.stop(), mail.stop()]);
});
beforeEach(() => {
  hook.received.length = 0;
  mail.received.length = 0;
});

type End = ReportOutcome | Partial<TaskReport>;
let dags = 0;

async function create(tasks: Parameters<typeof dagOf>[1], options: Partial<DagSpec> = {}): Promise<number> {
  const { dagId } = await engine.deploy(dagOf(`notify_${++dags}`, tasks, options));
  const [run] = await engine.createRuns([{ dagId, kind: 'manual', runKey: 'the-run' }]);
  return run!.runId;
}

/** Works the run to its end; `ends` by task and try, the last for all further ones. */
async function workOut(runId: number, ends: { [taskId: string]: End[] } = {}): Promise<void> {
  const endOf = ({ taskId, tryNumber }: Dispatch): End =>
    ends[taskId]?.[tryNumber - 1] ?? ends[taskId]?.at(-1) ?? 'success';
  for (;;) {
    await work(engine, worker, endOf);
    const { rowCount } = await pool.query('select from dag_run where id = $1 and ended_at is not null', [runId]);
    if (rowCount === 1) break;
    await wakeRetries(pool, engine);
  }
  await notifications.caughtUp();
  await checkRuns(database, { runIds: [runId], finished: true });
}

async function run(
  tasks: Parameters<typeof dagOf>[1],
  options: Partial<DagSpec> = {},
  ends: { [taskId: string]: End[] } = {},
) {
  const runId = await create(tasks, options);
  await workOut(runId, ends);
  return { runId, told: await told(database, runId) };
}

const to = (connection: string, recipients: string[] = []) => ({ connection, recipients });
const rule = (more: Partial<NotifyRule>): NotifyRule => ({
  ...{ on: ['failure'], tasks: [], to: [to('hook')], subject: null, body: null, slowAfter: null },
  ...more,
});
const ofTask = (more: Partial<TaskNotifyRule>): TaskNotifyRule => {
  const { tasks: _, ...one } = rule(more);
  return one;
};
const names = (list: { event: string; task: number; try: number }[]) =>
  list.map((one) => (one.task < 0 ? one.event : `${one.event} ${one.task}#${one.try}`)).sort();

describe('rules of a run', () => {
  it('a run that fails is told once, however many tasks failed', async () => {
    const { told } = await run({ a: [], b: [] }, { notify: [rule({})] }, { a: ['failed'], b: ['failed'] });
    expect(told).toEqual([
      { event: 'failure', state: 'sent', target: 'hook', task: -1, try: 0, attempts: 1, error: null },
    ]);
  });

  it('a run that succeeds is told where success is asked for, and a failure is not', async () => {
    const notify = [rule({ on: ['success'] }), rule({ on: ['failure'], to: [to('slack')] })];
    const { told } = await run({ a: [] }, { notify });
    expect(told.map((one) => [one.event, one.target])).toEqual([['success', 'hook']]);
  });

  it('a run without rules tells nobody', async () => {
    const { told } = await run({ a: [] }, {}, { a: ['failed'] });
    expect(told).toEqual([]);
  });

  it('a failure that the run survives is no failure of the run', async () => {
    const { told } = await run(
      { a: [], b: { upstream: ['a'], triggerRule: 'all_done' } },
      { notify: [rule({})] },
      { a: ['failed'] },
    );
    expect(told).toEqual([]);
  });

  it('a run that a person cancels tells nobody', async () => {
    const runId = await create({ a: [] }, { notify: [rule({ on: ['failure', 'success'] })] });
    await engine.cancelRun(runId, 'ada');
    await notifications.caughtUp();
    expect(await told(database, runId)).toEqual([]);
  });

  it('all targets of all rules are told', async () => {
    const notify = [rule({ to: [to('hook'), to('slack')] }), rule({ on: ['failure', 'success'], to: [to('mail')] })];
    const { told } = await run({ a: [] }, { notify }, { a: ['failed'] });
    expect(told.map((one) => [one.target, one.state])).toEqual([
      ['hook', 'sent'],
      ['slack', 'sent'],
      ['mail', 'sent'],
    ]);
  });
});

describe('rules of tasks', () => {
  it('each try of a task is told by its outcome: retry while there are tries left, failure at the end', async () => {
    const { told } = await run(
      { a: { retries: 2, notify: [ofTask({ on: ['retry', 'failure', 'success'] })] } },
      {},
      { a: ['failed'] },
    );
    expect(names(told)).toEqual(['failure 0#3', 'retry 0#1', 'retry 0#2']);
  });

  it('a rule of the DAG that names tasks is about these tasks alone', async () => {
    const notify = [rule({ on: ['success'], tasks: ['b'] })];
    const { told } = await run({ a: [], b: [], c: [] }, { notify });
    expect(names(told)).toEqual(['success 1#1']);
  });

  it('* stands for all tasks, and not for the run', async () => {
    const { told } = await run({ a: [], b: ['a'] }, { notify: [rule({ on: ['success'], tasks: ['*'] })] });
    expect(names(told)).toEqual(['success 0#1', 'success 1#1']);
  });

  it('a task that skips itself is told, those that are skipped with it are not', async () => {
    const { told } = await run(
      { a: [], b: ['a'] },
      { notify: [rule({ on: ['skipped'], tasks: ['*'] })] },
      { a: ['skipped'] },
    );
    expect(names(told)).toEqual(['skipped 0#1']);
  });

  it('a task whose upstream failed has not failed itself', async () => {
    const { told } = await run({ a: [], b: ['a'] }, { notify: [rule({ tasks: ['*'] })] }, { a: ['failed'] });
    expect(names(told)).toEqual(['failure 0#1']);
  });

  it('what a person marks is not told of the task', async () => {
    const runId = await create({ a: [] }, { notify: [rule({ on: ['failure', 'success'], tasks: ['*'] })] });
    await engine.editTasks({ runId, action: 'failed', taskIds: ['a'], actor: 'ada' });
    await notifications.caughtUp();
    expect(await told(database, runId)).toEqual([]);
  });

  it('a task that is cleared and fails again is told again', async () => {
    const { runId } = await run({ a: { notify: [ofTask({})] } }, {}, { a: ['failed'] });
    await engine.editTasks({ runId, action: 'clear', taskIds: null, actor: 'ada' });
    await workOut(runId, { a: ['failed'] });
    expect(names(await told(database, runId))).toEqual(['failure 0#1', 'failure 0#2']);
  });

  it('of one run a rule about tasks tells at most fifty times', async () => {
    const tasks = Object.fromEntries(Array.from({ length: 60 }, (_, i) => [`t${i}`, []]));
    const runId = await create(tasks, { notify: [rule({ tasks: ['*'] }), rule({})] });
    await workOut(runId, Object.fromEntries(Object.keys(tasks).map((id) => [id, ['failed' as const]])));
    const all = await told(database, runId, { settled: false });
    expect([all.filter((one) => one.task >= 0).length, all.filter((one) => one.task < 0).length]).toEqual([50, 1]);
    await told(database, runId);
  });
});

describe('a slow run or task', () => {
  it('is told once, while it runs', async () => {
    const notify = [
      rule({ on: ['slow'], slowAfter: 0.01 }),
      rule({ on: ['slow'], tasks: ['a'], slowAfter: 0.01, to: [to('slack')] }),
    ];
    const runId = await create({ a: [], b: [] }, { notify });
    const [first] = await engine.claim({ workerId: worker, queues: ['default'], limit: 2 });
    await waitFor(async () => (await told(database, runId)).length === 2, { what: 'both to be slow' });
    expect(first?.taskId).toBe('a');
    expect(names(await told(database, runId))).toEqual(['slow', 'slow 0#1']);
    await engine.cancelRun(runId, 'test');
  });

  it('is not told when it ended in time', async () => {
    const notify = [rule({ on: ['slow'], slowAfter: 3600 }), rule({ on: ['slow'], tasks: ['*'], slowAfter: 3600 })];
    const { runId, told } = await run({ a: [] }, { notify });
    const { rows } = await pool.query(
      'select kind, task_index, state from deadline where run_id = $1 order by task_index',
      [runId],
    );
    expect(rows).toEqual([
      { kind: 'slow', task_index: -1, state: 'met' },
      { kind: 'slow', task_index: 0, state: 'met' },
    ]);
    expect(told).toEqual([]);
  });
});

describe('what is told', () => {
  const failing = {
    outcome: 'failed' as const,
    cause: 'exit_code' as const,
    exitCode: 7,
    message: 'Exit code 7: no <space> left',
  };

  it('a webhook gets the documented body, signed', async () => {
    const runId = await create({ load: [] }, { notify: [rule({})] });
    const [dispatch] = await engine.claim({ workerId: worker, queues: ['default'], limit: 1 });
    const line = (text: string) => `2026-01-01T00:00:00.000Z o ${text}\n`;
    await appendLogChunks(pool, [{ dispatchId: dispatch!.dispatchId, offset: 0, body: line('one') + line('the end') }]);
    await engine.report({
      workerId: worker,
      reports: [{ dispatchId: dispatch!.dispatchId, logBytes: 60, ...failing }],
    });
    await notifications.caughtUp();
    await told(database, runId);
    const [{ path, headers, body }] = hook.received as [(typeof hook.received)[0]];
    const [, seconds = '', signature] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(String(headers['millrace-signature'])) ?? [];
    expect(signature).toBe(createHmac('sha256', 'shared-secret').update(`${seconds}.${body}`).digest('hex'));
    expect(Math.abs(Number(seconds) - Date.now() / 1000)).toBeLessThan(60);
    expect({ path, type: headers['content-type'], event: headers['millrace-event'] }).toEqual({
      path: '/in',
      type: 'application/json',
      event: 'failure',
    });
    expect(JSON.parse(body)).toEqual({
      version: 1,
      id: headers['millrace-delivery'],
      event: 'failure',
      at: expect.any(String),
      subject: `[Millrace] notify_${dags} failed (the-run)`,
      text: expect.stringContaining('- load: exit_code, Exit code 7: no <space> left'),
      link: `https://millrace.example.com/dags/notify_${dags}/runs/${runId}`,
      run: expect.objectContaining({
        dagId: `notify_${dags}`,
        runId: String(runId),
        runKey: 'the-run',
        state: 'FAILED',
      }),
      task: null,
      failedTasks: [
        expect.objectContaining({
          taskId: 'load',
          tryNumber: 1,
          cause: 'exit_code',
          exitCode: 7,
          message: failing.message,
        }),
      ],
      dueAt: null,
      logTail: 'one\nthe end',
    });
  });

  it('Slack gets a text with a link, escaped', async () => {
    const { runId } = await run({ load: { notify: [ofTask({ to: [to('slack')] })] } }, {}, { load: [failing] });
    expect(hook.received[0]?.path).toBe('/slack');
    const { text } = JSON.parse(hook.received[0]!.body) as { text: string };
    expect(text.split('\n')).toEqual(
      expect.arrayContaining([
        `*[Millrace] notify_${dags}: load failed (try 1 of 1)*`,
        'Cause: exit_code (exit code 7)',
        'Exit code 7: no &lt;space&gt; left',
        `<https://millrace.example.com/dags/notify_${dags}/runs/${runId}?task=load|Open in Millrace>`,
      ]),
    );
  });

  it('a mail goes to the recipients of the rule, or else to those of the connection', async () => {
    const notify = [rule({ to: [to('mail'), to('mail', ['boss@example.com', 'ops@example.com'])] })];
    await run({ a: [] }, { notify }, { a: [failing] });
    expect(mail.received.map((one) => one.to.join()).sort()).toEqual([
      'boss@example.com,ops@example.com',
      'team@example.com',
    ]);
    const [first] = mail.received;
    expect([first?.from, first?.user]).toEqual(['robot@example.com', 'robot@example.com']);
    expect(first?.source).toContain(`Subject: [Millrace] notify_${dags} failed (the-run)`);
    expect(first?.source).toContain('Auto-Submitted: auto-generated');
  });

  it('a rule has words of its own, with names in them', async () => {
    const words = {
      subject: '{{ dag_id }}: {{task_id}}\nhas {{ event }}',
      body: '{{ cause }}/{{ exit_code }}/{{ try_number }} of {{ max_tries }} {{ link }}',
    };
    await run({ load: { notify: [ofTask(words)] } }, {}, { load: [failing] });
    const { subject, text, link } = JSON.parse(hook.received[0]!.body) as { [key: string]: string };
    expect({ subject, text }).toEqual({
      subject: `notify_${dags}: load has failure`,
      text: `exit_code/7/1 of 1 ${link}`,
    });
  });
});

describe('a callback', () => {
  it('starts one run of another DAG, with what happened in its conf', async () => {
    const { dagId } = await engine.deploy(dagOf(`rescue_${dags}`, { a: [] }));
    const callback = {
      dagId: `rescue_${dags}`,
      conf: { what: '{{ task_id }} of {{ dag_id }}', deep: [{ n: 1, s: '{{ event }}' }] },
    };
    const { told } = await run({ load: { notify: [ofTask({ to: [{ callback }] })] } }, {}, { load: ['failed'] });
    expect(told).toMatchObject([{ state: 'sent', target: callback.dagId }]);
    const { rows } = await pool.query('select id, conf, kind, triggered_by from dag_run where dag_id = $1', [dagId]);
    expect(rows).toEqual([
      {
        id: expect.any(Number),
        kind: 'manual',
        triggered_by: `callback of notify_${dags}`,
        conf: { what: `load of notify_${dags}`, deep: [{ n: 1, s: 'failure' }] },
      },
    ]);
    await workOut(rows[0].id);
  });

  it('of a run that a callback has started is not started: such a chain might never end', async () => {
    const name = `loop_${++dags}`;
    const { dagId } = await engine.deploy(
      dagOf(name, { a: [] }, { notify: [rule({ on: ['success'], to: [{ callback: { dagId: name, conf: {} } }] })] }),
    );
    const [first] = await engine.createRuns([{ dagId, kind: 'manual' }]);
    await workOut(first!.runId);
    await told(database, first!.runId);
    const { rows } = await pool.query('select id from dag_run where dag_id = $1 and id <> $2', [dagId, first!.runId]);
    await workOut(rows[0].id);
    expect(await told(database, rows[0].id)).toMatchObject([
      { state: 'dead', error: expect.stringContaining('started by a callback itself') },
    ]);
    expect((await pool.query('select from dag_run where dag_id = $1', [dagId])).rowCount).toBe(2);
  });

  it('without its DAG is given up with what to do', async () => {
    const { told } = await run(
      { a: [] },
      { notify: [rule({ to: [{ callback: { dagId: 'nowhere', conf: {} } }] })] },
      { a: ['failed'] },
    );
    expect(told).toMatchObject([
      { state: 'dead', error: "There is no DAG 'nowhere', or its file is gone. Deploy it." },
    ]);
  });
});

describe('a receiver that does not take it', () => {
  async function receiver(id: string, answer: Parameters<typeof startHttpReceiver>[0]) {
    const server = await startHttpReceiver(answer);
    onTestFinished(() => server.stop());
    await addConnection(database, id, { host: server.url, password: 'pass-word-1' });
    return server;
  }
  const soon = (runId: number) =>
    pool.query(`update notification set due_at = now() where run_id = $1 and state = 'pending'`, [runId]);

  it('is tried again after a pause that grows, and the run is no slower for it', async () => {
    const server = await receiver('flaky', (n) => (n < 3 ? 503 : 200));
    const runId = await create({ a: [] }, { notify: [rule({ to: [to('flaky')] })] });
    await workOut(runId, { a: ['failed'] });
    expect(await runStateOf(database, runId)).toBe('failed');
    const waits: number[] = [];
    for (let n = 1; n < 3; n++) {
      const failed = async () =>
        (await told(database, runId, { settled: false }))[0]?.error && server.received.length === n;
      await waitFor(failed, { what: `attempt ${n} to fail` });
      const { rows } = await pool.query(
        `select extract(epoch from due_at - clock_timestamp())::float8 as s from notification where run_id = $1`,
        [runId],
      );
      waits.push(rows[0].s);
      expect((await told(database, runId, { settled: false }))[0]).toMatchObject({
        state: 'pending',
        attempts: n,
        error: 'It answered 503: said 503',
      });
      await soon(runId);
    }
    expect(await told(database, runId)).toMatchObject([{ state: 'sent', attempts: 3 }]);
    expect(waits[0]! > 8 && waits[0]! <= 20 && waits[1]! > 18 && waits[1]! <= 40, `${waits}`).toBe(true);
    expect(new Set(server.received.map((one) => one.headers['millrace-delivery'])).size).toBe(1);
  });

  it('waits as long as the receiver asks', async () => {
    await receiver('busy', () => [429, { 'retry-after': '1234' }]);
    const runId = await create({ a: [] }, { notify: [rule({ to: [to('busy')] })] });
    await workOut(runId, { a: ['failed'] });
    await waitFor(async () => (await told(database, runId, { settled: false }))[0]?.error, {
      what: 'the first attempt',
    });
    const { rows } = await pool.query(
      `select extract(epoch from due_at - clock_timestamp())::float8 as s from notification where run_id = $1`,
      [runId],
    );
    expect(rows[0].s).toBeGreaterThan(1200);
  });

  it('is given up at once when it refuses, and a person may send it again', async () => {
    let status = 404;
    const server = await receiver('gone', () => status);
    const { runId, told: first } = await run({ a: [] }, { notify: [rule({ to: [to('gone')] })] }, { a: ['failed'] });
    expect(first).toMatchObject([{ state: 'dead', attempts: 1, error: 'It answered 404: said 404' }]);
    status = 200;
    const { rows } = await pool.query('select id from notification where run_id = $1', [runId]);
    await retryNotification(db, rows[0].id);
    expect(await told(database, runId)).toMatchObject([{ state: 'sent', attempts: 1, error: null }]);
    expect(server.received).toHaveLength(2);
  });

  it('is given up after twelve attempts', async () => {
    await receiver('down', () => 500);
    const runId = await create({ a: [] }, { notify: [rule({ to: [to('down')] })] });
    await workOut(runId, { a: ['failed'] });
    await waitFor(async () => (await told(database, runId, { settled: false }))[0]?.error, {
      what: 'the first attempt',
    });
    await pool.query('update notification set attempts = 11, due_at = now() where run_id = $1', [runId]);
    await pool.query(`select pg_notify('millrace_notification', '')`);
    expect(await told(database, runId)).toMatchObject([
      { state: 'dead', attempts: 12, error: 'Given up after 12 attempts. It answered 500: said 500' },
    ]);
  });

  it('does not follow to another address', async () => {
    await receiver('moved', () => [302, { location: hook.url }]);
    const { told } = await run({ a: [] }, { notify: [rule({ to: [to('moved')] })] }, { a: ['failed'] });
    expect(told).toMatchObject([{ state: 'dead', error: 'It answered 302: said 302' }]);
    expect(hook.received).toEqual([]);
  });

  it('a receiver that hangs does not hold up the others', async () => {
    await receiver('hangs', () => 'hang');
    const tasks = Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`t${i}`, []]));
    const runId = await create(tasks, {
      notify: [rule({ tasks: ['*'], on: ['success'], to: [to('hangs')] }), rule({ on: ['success'], to: [to('hook')] })],
    });
    await workOut(runId);
    await waitFor(() => hook.received.length === 1, { what: 'the other receiver to be told', timeoutMs: 5_000 });
    await pool.query('delete from notification where run_id = $1', [runId]);
  });

  it.each([
    [to('nowhere'), `There is no connection 'nowhere'. Create it with "millrace connection add nowhere <uri>".`],
    [to('database'), `Connection 'database' is of kind postgres. Messages go over webhook, slack, smtp.`],
    [to('mail', ['nobody@example.com']), expect.stringContaining('550')],
  ])('%j is given up with the reason', async (target, error) => {
    await addConnection(database, 'database', { kind: 'postgres', host: 'db' });
    const { told } = await run({ a: [] }, { notify: [rule({ to: [target] })] }, { a: ['failed'] });
    expect(told).toMatchObject([{ state: 'dead', error }]);
  });

  it('no secret of a connection is in what is said about it', async () => {
    await addConnection(database, 'leaky', {
      kind: 'smtp',
      host: 'pass-word-2.invalid',
      login: 'me',
      password: 'pass-word-2',
      extra: { from: 'a@b.c', to: 'd@e.f' },
    });
    const runId = await create({ a: [] }, { notify: [rule({ to: [to('leaky')] })] });
    await workOut(runId, { a: ['failed'] });
    await waitFor(async () => (await told(database, runId, { settled: false }))[0]?.error, {
      what: 'the first attempt',
    });
    const [one] = await told(database, runId, { settled: false });
    expect(one?.error).toContain('***.invalid');
    expect(one?.error).not.toContain('pass-word-2');
  });
});
