import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { canonicalJson } from '#sdk/canonical.ts';
import { dagSpecJsonSchema } from '#sdk/dag-spec-schema.ts';
import { validateDagSpec } from '#sdk/validate-dag-spec.ts';

const empty = (taskId: string, ...upstream: string[]) => ({ taskId, kind: 'empty', upstream });
const dag = (more: object) => ({ dagId: 'd', tasks: [empty('a')], ...more });
const issuesOf = (input: unknown) => {
  const result = validateDagSpec(input);
  return result.ok ? [] : result.issues.map((issue) => `${issue.path}: ${issue.message}`);
};
const specOf = (input: unknown) => {
  const result = validateDagSpec(input);
  if (!result.ok) throw new Error(JSON.stringify(result.issues));
  return result.spec;
};

test('what is left out gets its default', () => {
  expect(specOf({ dagId: 'd', tasks: [{ taskId: 'a', kind: 'bash', command: 'true' }] })).toEqual({
    specVersion: 1,
    dagId: 'd',
    description: null,
    docs: null,
    owner: null,
    tags: [],
    schedule: null,
    timezone: 'UTC',
    startDate: null,
    endDate: null,
    catchup: false,
    dataIntervals: false,
    overlap: 'allow',
    maxActiveRuns: 16,
    maxActiveTasks: 16,
    maxConsecutiveFailedRuns: 0,
    dagrunTimeout: null,
    failFast: false,
    maxActiveTasksPerDag: null,
    concurrency: null,
    params: null,
    pausedOnCreation: false,
    retention: null,
    groups: [],
    notify: [],
    deadline: [],
    tasks: [
      {
        taskId: 'a',
        kind: 'bash',
        upstream: [],
        triggerRule: 'all_success',
        retries: 0,
        retryDelay: 300,
        retryBackoff: 1,
        maxRetryDelay: null,
        retryRules: [],
        infraRetries: 3,
        notify: [],
        executionTimeout: null,
        queue: 'default',
        priority: 1,
        weightRule: 'absolute',
        pool: null,
        poolSlots: 1,
        maxActiveTis: null,
        maxActiveTisPerRun: null,
        concurrencyKey: null,
        rateLimit: null,
        memoryLimit: null,
        owner: null,
        docs: null,
        inputs: {},
        variables: [],
        connections: [],
        outlets: [],
        group: null,
        map: null,
        setup: false,
        teardown: null,
        edgeLabels: {},
        displayName: null,
        command: 'true',
        env: {},
        skipOnExitCode: 99,
        executor: null,
        pod: null,
      },
    ],
  });
});

describe('friendly forms', () => {
  test.each([
    [90, 90],
    ['30s', 30],
    ['5m', 300],
    ['2h', 7200],
    ['1d', 86_400],
    ['1.5h', 5400],
    ['PT1H30M', 5400],
    ['P1DT30S', 86_430],
  ])('a duration of %s is %d seconds', (written, seconds) =>
    expect(specOf(dag({ tasks: [{ ...empty('a'), retryDelay: written }] })).tasks[0]?.retryDelay).toBe(seconds),
  );
  test.each([
    ['@daily', { kind: 'cron', expressions: ['@daily'] }],
    [' 0  6 * * MON-FRI ', { kind: 'cron', expressions: ['0 6 * * MON-FRI'] }],
    [{ every: '15m' }, { kind: 'interval', seconds: 900 }],
    [
      { kind: 'interval', seconds: 60 },
      { kind: 'interval', seconds: 60 },
    ],
    [null, null],
  ])('the schedule %j is %j', (written, schedule) =>
    expect(specOf(dag({ schedule: written })).schedule).toEqual(schedule),
  );
  test.each([
    ['2026-01-01', 'UTC', '2026-01-01T00:00:00.000Z'],
    ['2026-01-01', 'Europe/Berlin', '2025-12-31T23:00:00.000Z'],
    ['2026-07-01T06:30', 'America/New_York', '2026-07-01T10:30:00.000Z'],
    ['2026-07-01T06:30:00+02:00', 'America/New_York', '2026-07-01T04:30:00.000Z'],
  ])('the start %s in %s is %s', (startDate, timezone, instant) =>
    expect(specOf(dag({ startDate, timezone })).startDate).toBe(instant),
  );
  test('one upstream needs no list, an input is an upstream, and none is named twice', () => {
    const spec = specOf(
      dag({
        tasks: [
          empty('a'),
          empty('b'),
          { ...empty('c'), upstream: 'a', inputs: { x: 'b', y: { task: 'a', key: 'k' } } },
        ],
      }),
    );
    expect(spec.tasks[2]).toMatchObject({
      upstream: ['a', 'b'],
      inputs: { x: { task: 'b', key: 'return_value' }, y: { task: 'a', key: 'k' } },
    });
  });
  test('defaults hold for the tasks that say nothing else', () => {
    const spec = specOf(
      dag({
        defaults: { retries: 2, retryDelay: '1m', maxRetryDelay: null },
        tasks: [empty('a'), { ...empty('b'), retries: 0 }],
      }),
    );
    expect(spec.tasks.map((task) => [task.retries, task.retryDelay])).toEqual([
      [2, 60],
      [0, 60],
    ]);
    expect(spec).not.toHaveProperty('defaults');
  });
  test('memory is bytes or 512Mi', () =>
    expect(specOf(dag({ tasks: [{ ...empty('a'), memoryLimit: '512Mi' }] })).tasks[0]?.memoryLimit).toBe(2 ** 29));
});

describe('mistakes', () => {
  const task = (more: object) => dag({ tasks: [{ ...empty('a'), ...more }] });
  test.each([
    ['no object', [], ': a list is not a DAG spec. Give an object with dagId and tasks.'],
    ['no id', { tasks: [empty('a')] }, "dagId: 'dagId' is missing."],
    [
      'a text that is too long',
      dag({ description: 'x'.repeat(2001) }),
      /^description: .* is not a text of at most 2,000 characters/,
    ],
    ['a bad id', dag({ dagId: 'a b' }), "dagId: 'a b' is not an id: 1 to 200 of the characters A-Z a-z 0-9 _ . -."],
    ['an unknown key', dag({ shedule: '@daily' }), "shedule: Unknown key 'shedule'. Did you mean 'schedule'?"],
    ['an unknown key of a task', task({ retrys: 1 }), "tasks[0].retrys: Unknown key 'retrys'. Did you mean 'retries'?"],
    ['a key of another kind', task({ command: 'x' }), "tasks[0].command: Unknown key 'command'."],
    ['no tasks', dag({ tasks: [] }), 'tasks: A DAG needs at least one task.'],
    ['tasks missing', { dagId: 'd' }, "tasks: 'tasks' is missing."],
    [
      'an unknown kind',
      task({ kind: 'bsh' }),
      "tasks[0].kind: 'bsh' is not a kind of task. Did you mean 'bash'? Kinds: empty, bash, python, typescript, branch, short_circuit, latest_only, http, sql, pod, resource, sensor, trigger_dag, approval.",
    ],
    ['a missing field', task({ kind: 'bash' }), "tasks[0].command: 'command' is missing."],
    [
      'a wrong rule',
      task({ triggerRule: 'any' }),
      /^tasks\[0\]\.triggerRule: 'any' is not one of all_success, all_failed, /,
    ],
    ['negative retries', task({ retries: -1 }), 'tasks[0].retries: -1 is not a whole number from 0 to 1000.'],
    ['a wrong duration', task({ retryDelay: '5 minutes' }), /^tasks\[0\]\.retryDelay: '5 minutes' is not a duration/],
    [
      'a time limit of nothing',
      task({ executionTimeout: 0 }),
      /^tasks\[0\]\.executionTimeout: 0 is not a duration of at least/,
    ],
    [
      'python of both forms',
      task({ kind: 'python', callable: 'a.py:f', source: 'pass' }),
      /^tasks\[0\]: A python task has either/,
    ],
    [
      'python outside the folder',
      task({ kind: 'python', callable: '../a.py:f' }),
      /^tasks\[0\]\.callable: '\.\.\/a\.py:f' is not 'file\.py:function'/,
    ],
    [
      'a wrong env name',
      task({ kind: 'bash', command: '', env: { '1A': 'x' } }),
      /^tasks\[0\]\.env\.1A: '1A' is not a name/,
    ],
    [
      'an argument that is no JSON',
      task({ kind: 'python', source: '', args: { x: [1, { y: NaN }] } }),
      'tasks[0].args.x[1].y: NaN does not exist in JSON. Use null or a text.',
    ],
    [
      'a bad cron',
      dag({ schedule: '61 * * * *' }),
      /^schedule: '61 \* \* \* \*' is not a cron expression: Invalid value for minute: 61 Write a cron/,
    ],
    [
      'a cron that never fires',
      dag({ schedule: '0 0 30 2 *' }),
      "schedule: '0 0 30 2 *' never fires. Check the day and month.",
    ],
    ['an unknown preset', dag({ schedule: '@dayly' }), /^schedule: Unknown preset '@dayly'\. Did you mean '@daily'\?/],
    ['a wrong interval', dag({ schedule: { every: '0.5s' } }), /^schedule: '0\.5s' is not an interval/],
    [
      'a bad zone',
      dag({ timezone: 'Europe/Berlim' }),
      /^timezone: 'Europe\/Berlim' is not a time zone\. Did you mean 'Europe\/Berlin'\?/,
    ],
    ['an offset as zone', dag({ timezone: '+02:00' }), /^timezone: '\+02:00' is an offset/],
    ['30 February', dag({ startDate: '2026-02-30' }), /^startDate: '2026-02-30' is not a date/],
    [
      'an end before the start',
      dag({ startDate: '2026-02-01', endDate: '2026-01-01' }),
      /^endDate: The end lies before the start/,
    ],
    [
      'a default of a task that cannot be',
      dag({ defaults: { taskId: 'x' } }),
      /^defaults\.taskId: Unknown key 'taskId'/,
    ],
    [
      'a wrong default',
      dag({ defaults: { retries: 'two' } }),
      "defaults.retries: 'two' is not a whole number from 0 to 1000.",
    ],
    ['a version from the future', dag({ specVersion: 2 }), /^specVersion: 2 is not a known version/],
    [
      'an unknown upstream',
      dag({ tasks: [empty('extract_weather'), empty('b', 'extract_wether')] }),
      "tasks[1].upstream[0]: There is no task 'extract_wether' in this DAG. Did you mean 'extract_weather'?",
    ],
    [
      'an unknown input',
      dag({ tasks: [{ ...empty('b'), inputs: { x: 'c' } }] }),
      "tasks[0].inputs.x: There is no task 'c' in this DAG.",
    ],
    [
      'an id twice',
      dag({ tasks: [empty('a'), empty('b'), empty('a')] }),
      "tasks[2].taskId: 'a' is already the id of tasks[0]. Give each task its own id.",
    ],
    [
      'a cycle',
      dag({ tasks: [empty('x'), empty('a', 'x', 'b'), empty('b', 'c'), empty('c', 'a')] }),
      'tasks[1].upstream: The tasks wait for each other in a cycle: a → c → b → a. Remove one of these edges.',
    ],
    [
      'a task that waits for itself',
      dag({ tasks: [empty('a', 'a')] }),
      'tasks[0].upstream: The tasks wait for each other in a cycle: a → a. Remove one of these edges.',
    ],
    ['a list that is none', task({ upstream: 3 }), 'tasks[0].upstream: 3 is not a list.'],
    ['null as a task', dag({ tasks: [null] }), 'tasks[0]: null is not a task. Give an object with taskId and kind.'],
  ])('%s', (_name, input, expected) => {
    const issues = issuesOf(input);
    expect(issues).toHaveLength(1);
    if (expected instanceof RegExp) expect(issues[0]).toMatch(expected);
    else expect(issues[0]).toBe(expected);
  });

  test('all are told at once', () => {
    const issues = issuesOf({
      dagId: '',
      schedule: 'x',
      timezone: 'Mars',
      tasks: [empty('a', 'b'), { taskId: 'a', kind: 'bash', retries: 1.5 }],
    });
    expect(issues.map((issue) => issue.split(':')[0])).toEqual([
      'dagId',
      'timezone',
      'schedule',
      'tasks[1].retries',
      'tasks[1].command',
      'tasks[1].taskId',
      'tasks[0].upstream[0]',
    ]);
  });
  test('after a hundred the rest is counted', () => {
    const issues = issuesOf(dag({ tasks: Array.from({ length: 500 }, (_, index) => empty(`t${index}`, 'nowhere')) }));
    expect(issues).toHaveLength(101);
    expect(issues.at(-1)).toBe(': … and 400 more.');
  });
  test('cycles that share no task are all shown', () => {
    const issues = issuesOf(
      dag({ tasks: [empty('a', 'b'), empty('b', 'a'), empty('c', 'd'), empty('d', 'c'), empty('e', 'd')] }),
    );
    expect(issues).toHaveLength(2);
  });
});

describe('params', () => {
  const region = { type: 'object', properties: { region: { enum: ['eu', 'us'], default: 'eu' } } };
  test('are a JSON Schema', () => expect(specOf(dag({ params: region })).params).toEqual(region));
  test.each([
    [
      'values instead of a schema',
      { region: 'eu' },
      'params: params is a JSON Schema of an object: { type: object, properties: { … } }.',
    ],
    [
      'a wrong schema',
      { type: 'object', properties: { a: { type: 'strin' } } },
      /^params: Not a valid JSON Schema \(2020-12\): /,
    ],
    [
      'a default that does not fit',
      { type: 'object', properties: { region: { enum: ['eu', 'us'], default: 'asia' } } },
      'params.region: The default does not fit the schema: must be equal to one of the allowed values: eu, us.',
    ],
  ])('%s', (_name, params, expected) => {
    const [issue] = issuesOf(dag({ params }));
    if (expected instanceof RegExp) expect(issue).toMatch(expected);
    else expect(issue).toBe(expected);
  });
  test('of two DAGs may have the same $id', () => {
    const named = { ...region, $schema: 'https://json-schema.org/draft/2020-12/schema', $id: 'https://example.org/p' };
    expect(issuesOf(dag({ params: named }))).toEqual([]);
    expect(issuesOf(dag({ params: { ...named, required: ['region'] } }))).toEqual([]);
  });
  test('a DAG that runs by itself needs a default for each that is required', () => {
    const params = { type: 'object', properties: { day: { type: 'string' } }, required: ['day'] };
    expect(issuesOf(dag({ params }))).toEqual([]);
    expect(issuesOf(dag({ params, schedule: '@daily' }))).toEqual([
      "params.day: 'day' is missing. A scheduled DAG needs a default for it.",
    ]);
  });
});

/** 100 layers of 100 tasks; 15,000 edges. */
const large = () => ({
  dagId: 'large',
  tasks: Array.from({ length: 10_000 }, (_, index) => {
    const [layer, place] = [Math.floor(index / 100), index % 100];
    const above = (at: number) => `task_${layer - 1}_${at % 100}`;
    const upstream = layer === 0 ? [] : index % 2 ? [above(place), above(place + 1)] : [above(place)];
    return { taskId: `task_${layer}_${place}`, kind: 'empty', upstream };
  }),
});

test('10,000 tasks are validated', () => {
  expect(validateDagSpec(large()).ok).toBe(true);
});
test('a cycle through 10,000 tasks is found', () => {
  const { tasks } = large();
  const last = tasks.at(-1)!;
  tasks[0] = { ...tasks[0]!, upstream: [last.taskId] };
  expect(issuesOf({ dagId: 'd', tasks })[0]).toMatch(/in a cycle: task_0_0 → .{1,300} … .{1,100} → task_0_0\./);
});

test('a validated spec validates to itself, and the published schema accepts it', () => {
  const accepts = new Ajv2020({ strict: false }).compile(dagSpecJsonSchema());
  const tasks = fc.array(
    fc.record({
      kind: fc.constantFrom('empty', 'typescript'),
      retries: fc.nat(10),
      retryDelay: fc.constantFrom(3, '5m', 'PT1H'),
      triggerRule: fc.constantFrom('all_done', 'one_failed'),
      parents: fc.array(fc.nat(20), { maxLength: 3 }),
    }),
    { minLength: 1, maxLength: 12 },
  );
  fc.assert(
    fc.property(
      tasks,
      fc.constantFrom(
        '@daily',
        ['0 6 * * *', '@weekly'],
        { every: '2h' },
        { dates: ['2026-03-01', '2026-02-01T06:00'] },
        { assets: { all: ['a', { any: ['b', 'c'] }] }, or: '@daily' },
        '@once',
        null,
      ),
      fc.constantFrom('UTC', 'Asia/Tokyo'),
      (list, schedule, timezone) => {
        const input = {
          dagId: 'd',
          schedule,
          timezone,
          startDate: '2026-01-01',
          tasks: list.map(({ parents, ...task }, index) => ({
            ...task,
            taskId: `t${index}`,
            upstream: index === 0 ? [] : parents.map((parent) => `t${parent % index}`),
          })),
        };
        const spec = specOf(input);
        expect(specOf(spec)).toEqual(spec);
        expect(accepts(input), JSON.stringify(accepts.errors)).toBe(true);
        expect(accepts(spec), JSON.stringify(accepts.errors)).toBe(true);
      },
    ),
    { numRuns: 100 },
  );
});

test('the committed JSON Schema is the generated one', () => {
  const committed: unknown = JSON.parse(
    readFileSync(new URL('../../sdk/dag-spec.schema.json', import.meta.url), 'utf8'),
  );
  expect(committed).toEqual(JSON.parse(JSON.stringify(dagSpecJsonSchema())));
});

test('canonical JSON is the same for equal values', () => {
  expect(canonicalJson({ b: [1, { d: undefined, c: 'é' }], a: null })).toBe('{"a":null,"b":[1,{"c":"é"}]}');
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      expect(JSON.parse(canonicalJson(value))).toEqual(JSON.parse(JSON.stringify(value)));
    }),
  );
});

describe('retention', () => {
  const read = (retention: unknown) =>
    validateDagSpec({ dagId: 'd', retention, tasks: [{ taskId: 'a', kind: 'empty' }] });

  test('is read in days, bytes, and for ever', () => {
    const answer = read({ runs: '90d', keepLast: 50, logs: 'forever', logBytes: '10Gi' });
    expect(answer.ok && answer.spec.retention).toEqual({
      ...{ runs: 90 * 86_400, keepLast: 50, logs: 'forever', results: null, logBytes: 10 * 2 ** 30 },
    });
  });

  test.each([{ runs: '5m' }, { runs: 'long' }, { keepLast: -1 }, { logBytes: 'much' }, { run: '90d' }, '90d'])(
    'is refused as %j, with what to write',
    (retention) => {
      const answer = read(retention);
      expect(answer.ok).toBe(false);
      expect(JSON.stringify(answer)).toMatch(/retention/);
    },
  );
});
