import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestApp, type TestApp } from '../helpers/app.ts';
import { createTestDatabase } from '../helpers/database.ts';
import { dagOf, reportOf } from '../helpers/engine.ts';
import { openSocket, type TestSocket } from '../helpers/socket.ts';
import { waitFor } from '../helpers/wait-for.ts';

const database = await createTestDatabase();
let app: TestApp;
let editor: string;
let workerToken: string;
let socket: TestSocket;

beforeAll(async () => {
  app = await startTestApp(database);
  editor = await app.token('editor');
  workerToken = await app.token('worker');
  socket = openSocket(app.url(), { token: editor });
  await app.engine.deploy(dagOf('live', { a: [], b: ['a'] }, { maxActiveRuns: 100 }));
});
afterAll(async () => {
  await socket.stop();
  await app.stop();
});

const trigger = async () => {
  const query =
    'mutation { triggerDagRun(input: { dagId: "live" }) { ... on MutationTriggerDagRunSuccess { data { runId cursor } } } }';
  return (await app.graphql(query, {}, editor)).data.triggerDagRun.data as { runId: string; cursor: string };
};
const claimOf = async (runId: string, workerId: number) => {
  const claimed = await app.engine.claim({ workerId, queues: ['default'], limit: 100 });
  const dispatch = claimed.find((one) => one.run.runId === runId);
  if (!dispatch) throw new Error(`nothing of run ${runId} was claimed`);
  return dispatch;
};

interface RunMessage {
  cursor: string;
  runState: string | null;
  transitions: { taskId: string; state: string; taskInstanceId: string }[];
  dagRun: { state: string; remaining: number };
}
const RUN = `subscription($runId: ID!, $after: String) { dagRunEvents(runId: $runId, after: $after) {
  cursor runState transitions { taskId state taskInstanceId } dagRun { state remaining } } }`;

describe('a run, watched', () => {
  it('shows each transition, and the row as it is then', async () => {
    const { runId, cursor } = await trigger();
    const events = socket.subscribe<RunMessage>(RUN, { runId, after: cursor });
    const workerId = await app.engine.worker();
    const a = await claimOf(runId, workerId);
    await events.take(1);
    await app.engine.report({ workerId, reports: [reportOf(a)] });
    await events.take(2);
    const b = await claimOf(runId, workerId);
    await app.engine.report({ workerId, reports: [reportOf(b, 'failed')] });
    const messages = await events.take(4);
    expect(messages.map((message) => message.transitions.map((one) => `${one.taskId} ${one.state}`))).toEqual([
      ['a RUNNING'],
      ['a SUCCESS', 'b QUEUED'],
      ['b RUNNING'],
      ['b FAILED'],
    ]);
    // One loader for the whole subscription would still say 2 and RUNNING
    expect(messages.at(-1)).toMatchObject({ runState: 'FAILED', dagRun: { state: 'FAILED', remaining: 0 } });
    expect(messages[0]?.dagRun.remaining).toBeGreaterThan(0);
    const { taskInstanceId = '' } = messages[0]?.transitions[0] ?? {};
    const again = await app.graphql(
      `{ node(id: "${taskInstanceId}") { ... on TaskInstance { taskId state cause } } }`,
      {},
      editor,
    );
    expect(again.data.node).toEqual({ taskId: 'a', state: 'SUCCESS', cause: 'ok' });
  });

  it('is told of as JSON lines over HTTP too', async () => {
    const { runId, cursor } = await trigger();
    const query = `subscription { dagRunEvents(runId: "${runId}", after: "${Number(cursor) - 1}") { cursor runState } }`;
    for (const ask of [
      () => app.post({ query }, { authorization: `Bearer ${editor}`, accept: 'text/event-stream' }),
      () =>
        fetch(`${app.url()}/graphql?query=${encodeURIComponent(query)}`, {
          headers: { authorization: `Bearer ${editor}`, accept: 'text/event-stream' },
        }),
    ]) {
      const response = await ask();
      expect(response.headers.get('content-encoding') ?? '').not.toContain('gzip');
      const text = await readUntil(response, '"cursor"');
      expect(text).toMatch(/^:?[^]*event: next\ndata: \{"data":\{"dagRunEvents":\{"cursor":"\d+"/m);
    }
  });

  it('that does not exist is said so', async () => {
    const events = socket.subscribe(RUN, { runId: '77' });
    await expect(events.take(1)).rejects.toThrow(/NOT_FOUND/);
    expect(socket.closed).toEqual([]);
  });
});

async function readUntil(response: Response, needle: string): Promise<string> {
  const reader = response.body?.getReader();
  let text = '';
  while (reader && !text.includes(needle)) {
    const { value, done } = await reader.read();
    if (done) break;
    text += new TextDecoder().decode(value);
  }
  await reader?.cancel();
  return text;
}

describe('the lists, watched', () => {
  it('hear of runs and DAGs', async () => {
    const { data } = await app.graphql('{ eventCursor }', {}, editor);
    const query = `subscription($after: String) { dagEvents(after: $after) { kind change runState dag { dagId paused } dagRun { state dag { dagId } } nodeId by } }`;
    const events = socket.subscribe<{ change: string }>(query, { after: data.eventCursor });
    await trigger();
    await app.graphql('mutation { setDagPaused(input: { dagId: "live", paused: true }) { __typename } }', {}, editor);
    await app.graphql('mutation { setDagPaused(input: { dagId: "live", paused: false }) { __typename } }', {}, editor);
    const messages = await events.take(4);
    expect(messages.map((message) => message.change)).toEqual(['run', 'run', 'paused', 'unpaused']);
    expect(messages[0]).toMatchObject({
      kind: 'CHANGE',
      runState: 'QUEUED',
      dag: null,
      dagRun: { dag: { dagId: 'live' } },
    });
    expect(messages[2]).toMatchObject({ dag: { dagId: 'live' }, dagRun: null, by: 'token editor' });
  });

  it('hear of a DAG that is gone by its id alone', async () => {
    await app.engine.deploy(dagOf('passing', { a: [] }));
    const { data } = await app.graphql('{ eventCursor dag(dagId: "passing") { id } }', {}, editor);
    const query = 'subscription($after: String) { dagEvents(after: $after) { change nodeId dag { dagId } } }';
    const events = socket.subscribe(query, { after: data.eventCursor });
    await app.graphql(
      'mutation { deleteDag(input: { dagId: "passing" }) { __typename } }',
      {},
      await app.token('admin'),
    );
    expect(await events.take(1)).toEqual([{ change: 'deleted', nodeId: data.dag.id, dag: null }]);
    expect(events.errors).toEqual([]);
  });
});

describe('a log, followed', () => {
  const FOLLOW = `subscription($id: ID!, $after: Float) { taskLog(taskInstanceId: $id, after: $after) { lines { offset stream text } nextOffset complete } }`;
  interface Page {
    lines: { offset: number; stream: string; text: string }[];
    nextOffset: number;
    complete: boolean;
  }
  const line = (text: string) => `2026-01-01T00:00:00.000Z o ${text}\n`;
  const append = (chunks: object[], token: string) =>
    app.graphql(
      'mutation($i: AppendTaskLogsInput!) { appendTaskLogs(input: $i) { accepted } }',
      { i: { chunks } },
      token,
    );

  it('from before its start to its end, once, over a lost socket, and by its own runner only', async () => {
    const { runId } = await trigger();
    const id = `${runId}.0.-1`;
    const follower = openSocket(app.url(), { token: editor, retries: Infinity });
    const pages = follower.subscribe<Page>(FOLLOW, { id }, { resume: true });
    const registered = await app.graphql(
      'mutation { registerWorker(input: { name: "w", queues: ["default"], slots: 4, version: "1" }) { workerId } }',
      {},
      workerToken,
    );
    const { workerId } = registered.data.registerWorker;
    const claimed = await app.graphql(
      'mutation($i: ClaimTasksInput!) { claimTasks(input: $i) { dispatches } }',
      { i: { workerId, queues: ['default'], limit: 100, tokens: true } },
      workerToken,
    );
    const dispatch = claimed.data.claimTasks.dispatches.find(
      (one: { run: { runId: string } }) => one.run.runId === runId,
    );
    const { dispatchId, token } = dispatch;

    const texts = ['first', 'second ü', 'third', 'last'];
    let offset = 0;
    for (const [n, text] of texts.entries()) {
      const body = line(text);
      const chunk = { dispatchId, offset, body };
      // Sent twice: the second time changes nothing
      expect((await append([chunk], token)).data.appendTaskLogs.accepted).toBe(1);
      expect((await append([chunk], token)).data.appendTaskLogs.accepted).toBe(1);
      offset += Buffer.byteLength(body);
      await waitFor(() => pages.messages.at(-1)?.nextOffset === offset, { what: `line ${n}` });
      if (n === 1) follower.terminate();
    }
    expect(pages.isComplete()).toBe(false);

    const elsewhere = dispatchId.replace(/^\d+\.\d/, (key: string) => key.slice(0, -1) + '1');
    expect(
      (await append([{ dispatchId: elsewhere, offset: 0, body: line('not mine') }], token)).errors?.[0]?.message,
    ).toContain('another dispatch');
    expect(
      (await append([{ dispatchId: elsewhere, offset: 0, body: line('nobody’s') }], workerToken)).data.appendTaskLogs
        .accepted,
    ).toBe(0);

    const report = reportOf({ dispatchId }, 'success', { logBytes: offset });
    const REPORT = 'mutation($i: ReportTasksInput!) { reportTasks(input: $i) { answers } }';
    expect((await app.graphql(REPORT, { i: { reports: [report] } }, token)).data.reportTasks.answers).toEqual([
      'ACCEPTED',
    ]);
    expect((await app.graphql(REPORT, { i: { reports: [report] } }, token)).data.reportTasks.answers).toEqual([
      'DUPLICATE',
    ]);
    await waitFor(() => pages.isComplete(), { what: 'the end of the log' });
    expect(pages.messages.flatMap((page) => page.lines.map((one) => one.text))).toEqual(texts);
    expect(pages.messages.at(-1)).toMatchObject({ nextOffset: offset, complete: true });
    await follower.stop();

    const raw = await fetch(`${app.url()}/logs/${encodeURIComponent(id)}/1`, {
      headers: { authorization: `Bearer ${editor}` },
    });
    expect(await raw.text()).toBe(texts.map(line).join(''));
    expect(raw.headers.get('content-disposition')).toContain('attachment');
    expect(raw.headers.get('content-security-policy')).toContain('sandbox');
  });

  it('of a task that never ran ends at once', async () => {
    const { runId } = await trigger();
    await app.graphql(`mutation { cancelDagRun(input: { runId: "${runId}" }) { __typename } }`, {}, editor);
    const pages = socket.subscribe<Page>(FOLLOW, { id: `${runId}.1.-1` });
    expect(await pages.take(1)).toEqual([{ lines: [], nextOffset: 0, complete: true }]);
    await waitFor(() => pages.isComplete(), { what: 'the end' });
  });
});

describe('a worker', () => {
  it('is woken: at once, when work is ready in its queues, and when it may have to kill', async () => {
    const registered = await app.graphql(
      'mutation { registerWorker(input: { name: "woken", queues: ["gpu"], slots: 4, version: "1" }) { workerId } }',
      {},
      workerToken,
    );
    const { workerId } = registered.data.registerWorker;
    const listening = openSocket(app.url(), { token: workerToken });
    const query = 'subscription($workerId: ID!) { workAvailable(workerId: $workerId) { queues fenced } }';
    const signals = listening.subscribe<{ queues: string[]; fenced: boolean }>(query, { workerId });
    expect(await signals.take(1)).toEqual([{ queues: ['gpu'], fenced: false }]);
    await database.pool.query(`select pg_notify('millrace_ready', 'default'), pg_notify('millrace_ready', 'gpu')`);
    expect((await signals.take(2))[1]).toEqual({ queues: ['gpu'], fenced: false });
    await database.pool.query(`select pg_notify('millrace_fenced', $1)`, [workerId]);
    expect((await signals.take(3))[2]).toEqual({ queues: [], fenced: true });
    await listening.stop();
  });

  it('says malformed things in vain, and nothing of the batch is taken', async () => {
    const REPORT = 'mutation($i: ReportTasksInput!) { reportTasks(input: $i) { answers } }';
    for (const wrong of [
      {},
      'x',
      [],
      { ...reportOf({ dispatchId: 'x' }), logBytes: -1 },
      { ...reportOf({ dispatchId: 'x' }), cause: 'bad luck' },
    ]) {
      const result = await app.graphql(REPORT, { i: { reports: [reportOf({ dispatchId: 'x' }), wrong] } }, workerToken);
      expect(result.errors?.[0]?.extensions?.code, JSON.stringify(wrong)).toBe('BAD_USER_INPUT');
    }
    const result = await app.graphql(REPORT, { i: { reports: [reportOf({ dispatchId: 'x' })] } }, workerToken);
    expect(result.data.reportTasks.answers).toEqual(['UNKNOWN']);
  });
});
