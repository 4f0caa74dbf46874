import { createHash, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { formatDispatchId } from '#db/engine/dispatch-id.ts';
import { createRunnerTokens } from '#server/auth/runner-token.ts';
import { TEST_KEY } from '../helpers/app.ts';
import { createTestDatabase, type TestDatabase } from '../helpers/database.ts';
import { dagOf } from '../helpers/engine.ts';
import { startRunningService, type RunningService } from '../helpers/running-service.ts';

const KIB = 1024;
const python = (taskId: string, source: string, more: object = {}) => ({ taskId, kind: 'python', source, ...more });
const bash = (taskId: string, command: string, more: object = {}) => ({ taskId, kind: 'bash', command, ...more });
/** Returns a text of so many characters. */
const makes = (taskId: string, characters: number, letter = 'x') =>
  python(taskId, `def main(): return "${letter}" * ${characters}`);

describe('the result of a task', () => {
  let database: TestDatabase;
  let service: RunningService;
  beforeAll(async () => {
    database = await createTestDatabase();
    service = await startRunningService(database, { resultLimit: 8 * KIB * KIB });
  });
  afterAll(() => service.stop());

  let dags = 0;
  const run = (...tasks: object[]) => service.run({ dagId: `dag_${++dags}`, tasks });
  const xcomsOf = async (runId: number) =>
    (
      await database.pool.query<{ task_index: number; key: string; length: number; artifact: string; bytes: string }>(
        `select task_index, key, length(value::text) as length, artifact, bytes::text from xcom where run_id = $1
         order by task_index, key`,
        [runId],
      )
    ).rows;
  const storedBytes = async (runId: number) =>
    (
      await database.pool.query<{ hash: string; bytes: number }>(
        'select hash, sum(length(data))::int as bytes from artifact where run_id = $1 group by hash order by bytes',
        [runId],
      )
    ).rows;

  it('stays in the table up to 64 KiB of JSON', async () => {
    const { runId, states } = await run(makes('a', 64 * KIB - 2));
    expect(states).toEqual({ a: 'success' });
    expect(await xcomsOf(runId)).toMatchObject([{ artifact: null, bytes: null, length: 64 * KIB }]);
    expect(await storedBytes(runId)).toEqual([]);
  });

  it('lies in the artifact store beyond, and the table holds where, how large, and how it begins', async () => {
    const { runId, states } = await run(makes('a', 1_000_000));
    expect(states).toEqual({ a: 'success' });
    const hash = createHash('sha256')
      .update(`"${'x'.repeat(1_000_000)}"`)
      .digest('hex');
    expect(await xcomsOf(runId)).toMatchObject([{ artifact: hash, bytes: '1000002', length: 1003 }]);
    expect(await storedBytes(runId)).toEqual([{ hash, bytes: 1_000_002 }]);
  });

  it('is read by a Python task as if it were small: as an argument and by xcom_pull', async () => {
    const { states } = await run(
      python('a', `def main(ti):\n  ti.xcom_push("more", list(range(100000)))\n  return {"text": "é😀" * 300000}`),
      python(
        'b',
        `def main(rows, ti):
  assert rows["text"] == "é😀" * 300000, len(rows["text"])
  assert ti.xcom_pull("a")["text"] == rows["text"]
  assert ti.xcom_pull("a", key="more") == list(range(100000))`,
        { inputs: { rows: 'a' } },
      ),
    );
    expect(states).toEqual({ a: 'success', b: 'success' });
  });

  it('is a file for a bash task when it does not fit into a variable', async () => {
    const { states } = await run(
      makes('small', 10),
      makes('large', 300_000),
      bash('c', 'test "$SMALL" = xxxxxxxxxx && test -z "$LARGE" && test "$(wc -c < "$LARGE_FILE")" = 300002', {
        inputs: { SMALL: 'small', LARGE: 'large' },
      }),
    );
    expect(states).toEqual({ small: 'success', large: 'success', c: 'success' });
  });

  it('can be used in a template up to a mebibyte', async () => {
    const { states } = await run(
      makes('a', 200_000),
      bash('b', 'test "{{ ti.xcom_pull("a") | length }}" = "{{ inputs.A | length }}"', { inputs: { A: 'a' } }),
    );
    expect(states).toEqual({ a: 'success', b: 'success' });
  });

  it('fails a template that wants more, with what to do instead', async () => {
    const { runId, states } = await run(
      makes('a', 2_000_000),
      bash('pulled', 'echo {{ ti.xcom_pull("a") }}', { upstream: ['a'] }),
      bash('given', 'echo {{ inputs.A }}', { inputs: { A: 'a' } }),
    );
    expect(states).toEqual({ a: 'success', pulled: 'failed', given: 'failed' });
    expect(await service.messageOf(runId, 'pulled')).toContain(
      "the result 'return_value' of task 'a' has 1.9 MiB, too much for a template",
    );
    expect(await service.messageOf(runId, 'given')).toContain('The result is too large for a template');
  });

  it('fails its task when it is larger than the limit, and no retry is spent on it', async () => {
    const { runId, states } = await run({ ...makes('a', 9_000_000), retries: 3, retryDelay: 0 });
    expect(states).toEqual({ a: 'failed' });
    expect(await service.messageOf(runId, 'a')).toBe(
      'The return value has 8.6 MiB as JSON, more than the limit of 8.0 MiB. Write large data to a file or table and return where it is.',
    );
    expect(await storedBytes(runId)).toEqual([]);
  });

  it('has at most 200 keys', async () => {
    const { runId, states } = await run(
      python('a', 'def main(ti):\n  for n in range(201): ti.xcom_push("k%d" % n, n)'),
    );
    expect(states).toEqual({ a: 'failed' });
    expect(await service.messageOf(runId, 'a')).toBe('201 results; at most 200 are kept.');
  });

  it('moves to the store when many of them are too much together', async () => {
    const { runId, states } = await run(
      python('a', 'def main(ti):\n  for n in range(10): ti.xcom_push("k%d" % n, str(n) * 60000)'),
      python(
        'b',
        'def main(ti):\n  assert [ti.xcom_pull("a", key="k%d" % n)[0] for n in range(10)] == list("0123456789")',
        {
          upstream: ['a'],
        },
      ),
    );
    expect(states).toEqual({ a: 'success', b: 'success' });
    const rows = await xcomsOf(runId);
    expect(rows.map(({ artifact }) => artifact === null)).toEqual([...Array(4).fill(true), ...Array(6).fill(false)]);
  });

  it('is stored once when several tasks of a run make the same', async () => {
    const { runId, states } = await run(makes('a', 700_000), makes('b', 700_000), makes('c', 700_000, 'y'));
    expect(states).toEqual({ a: 'success', b: 'success', c: 'success' });
    expect((await storedBytes(runId)).map(({ bytes }) => bytes)).toEqual([700_002, 700_002]);
  });

  it('of a try that failed is not kept', async () => {
    const source = 'def main(ti):\n  ti.xcom_push("big", "x" * 200000)\n  raise Exception("no")';
    const { runId, states } = await run(python('a', source));
    expect(states).toEqual({ a: 'failed' });
    expect(await xcomsOf(runId)).toEqual([]);
    expect(await storedBytes(runId)).toEqual([]);
  });

  it('can be mapped over, and comes from the instances of a mapped task in their order, however large each is', async () => {
    const list = { kind: 'result', task: 'list', key: 'return_value' };
    const { states, runId } = await run(
      python('list', 'def main(): return ["%d" % n + "y" * 10000 for n in range(12)]'),
      python('each', 'def main(x): return x[:-10000] * (100000 if x.startswith("1") else 1)', {
        map: { over: { kind: 'product', axes: { x: list } } },
      }),
      python('reduce', 'def main(rows): return [[row[:2], len(row)] for row in rows]', { inputs: { rows: 'each' } }),
    );
    expect(new Set(Object.values(states))).toEqual(new Set(['success']));
    const { rows } = await database.pool.query<{ value: unknown }>(
      'select value from xcom where run_id = $1 and task_index = 2',
      [runId],
    );
    const short = [2, 3, 4, 5, 6, 7, 8, 9].map((n) => [String(n), 1]);
    expect(rows[0]?.value).toEqual([['0', 1], ['11', 100_000], ...short, ['10', 200_000], ['11', 200_000]]);
  });

  it('with a NUL character fails its task, whatever its size', async () => {
    const { runId, states } = await run(
      python('small', 'def main(): return "a\\0"'),
      python('large', 'def main(): return "a\\0" * 100000'),
    );
    expect(states).toEqual({ small: 'failed', large: 'failed' });
    expect(await service.messageOf(runId, 'large')).toContain('The return value has a NUL character');
  });

  describe('in the API', () => {
    const QUERY = `query ($id: ID!) { taskInstance(id: $id) { xcoms { key value isLarge bytes hash preview url } } }`;
    const get = async (path: string, token?: string) =>
      fetch(`${service.app.url()}${path}`, token ? { headers: { authorization: `Bearer ${token}` } } : {});

    it('is shown by reference when it is large, and can be downloaded whole by those who may read', async () => {
      const { runId } = await run(
        python('a', 'def main(ti):\n  ti.xcom_push("my key", {"n": 1})\n  return "x" * 500000'),
      );
      const viewer = await service.app.token('viewer');
      const { data } = await service.app.graphql(QUERY, { id: `${runId}.0.-1` }, viewer);
      const [small, large] = data.taskInstance.xcoms;
      expect(small).toEqual({
        key: 'my key',
        value: { n: 1 },
        isLarge: false,
        bytes: null,
        hash: null,
        preview: null,
        url: `/xcoms/${runId}.0.-1/my%20key`,
      });
      expect(large).toMatchObject({ key: 'return_value', value: null, isLarge: true, bytes: 500_002 });
      expect(large.preview).toBe(`"${'x'.repeat(999)}`);
      expect(await (await get(small.url, viewer)).json()).toEqual({ n: 1 });
      const answer = await get(large.url, viewer);
      expect(answer.headers.get('content-disposition')).toContain('attachment');
      expect(await answer.json()).toBe('x'.repeat(500_000));
    });

    it('is given to nobody else', async () => {
      const { runId } = await run(makes('a', 500_000));
      const path = `/xcoms/${runId}.0.-1/return_value`;
      expect((await get(path)).status).toBe(401);
      expect((await get(path, await service.app.token('worker'))).status).toBe(403);
      expect((await get(`/xcoms/${runId}.0.-1/nothing`, await service.app.token('viewer'))).status).toBe(404);
    });
  });

  describe('brought by a runner', () => {
    const tokens = createRunnerTokens(TEST_KEY);
    const body = JSON.stringify('y'.repeat(300_000));
    const hash = createHash('sha256').update(body).digest('hex');
    const send = (method: string, dispatchId: string, token: string, content?: string, name = hash) =>
      fetch(`${service.app.url()}/artifacts/${dispatchId}/${name}`, {
        method,
        headers: { authorization: `Bearer ${token}` },
        ...(content !== undefined && { body: content }),
      });
    /** A task that runs, on a queue that no worker of the service has. */
    const start = async () => {
      const { engine } = service.app;
      const { dagId } = await engine.deploy({
        ...dagOf(`held_${++dags}`, { a: { queue: 'other' } }),
      });
      await engine.createRuns([{ dagId, kind: 'manual' }]);
      const [dispatch] = await engine.claim({ workerId: await engine.worker(), queues: ['other'], limit: 1 });
      return dispatch!.dispatchId;
    };

    it('is taken whole, and given back to the same run alone', async () => {
      const [mine, other] = [await start(), await start()];
      const token = tokens.sign(mine, 60);
      expect((await send('PUT', mine, token, body)).status).toBe(201);
      expect((await send('PUT', mine, token, body)).status).toBe(201);
      expect(await (await send('GET', mine, token)).text()).toBe(body);
      expect((await send('GET', other, token)).status).toBe(403);
      expect((await send('GET', other, tokens.sign(other, 60))).status).toBe(404);
    });

    it('is refused when it is not what its hash says, and nothing of it stays', async () => {
      const mine = await start();
      const answer = await send('PUT', mine, tokens.sign(mine, 60), `${body} `);
      expect([answer.status, await answer.text()]).toEqual([409, 'The content is not what its hash says.\n']);
      const runId = Number(mine.split('.')[0]);
      expect(await storedBytes(runId)).toEqual([]);
    });

    it('is refused of a dispatch that does not run, of another one, and of people', async () => {
      const mine = await start();
      const [runId = 0, taskIndex = 0] = mine.split('.').map(Number);
      const stale = formatDispatchId({ runId, taskIndex, mapIndex: -1, uuid: randomUUID() });
      expect((await send('PUT', stale, tokens.sign(stale, 60), body)).status).toBe(409);
      expect((await send('PUT', mine, tokens.sign(stale, 60), body)).status).toBe(403);
      expect((await send('PUT', mine, await service.app.token('admin'), body)).status).toBe(403);
    });

    it('is refused when it is too large, before it is read', async () => {
      const mine = await start();
      const answer = await send('PUT', mine, tokens.sign(mine, 60), 'x'.repeat(64 * 2 ** 20 + 1)).catch(() => null);
      // A client may see the connection go before it has sent all
      expect([413, undefined]).toContain(answer?.status);
    });

    it('cannot be smuggled into a report: what is large must be uploaded', async () => {
      const mine = await start();
      const { engine } = service.app;
      const xcoms = { return_value: 'x'.repeat(1_100_000) };
      const report = { dispatchId: mine, outcome: 'success' as const, cause: 'ok' as const, xcoms, logBytes: 0 };
      await engine.report({ workerId: null, reports: [report] });
      const { rows } = await database.pool.query('select state from task_instance where run_id = $1', [
        Number(mine.split('.')[0]),
      ]);
      expect(rows).toEqual([{ state: 'failed' }]);
    });
  });
});
