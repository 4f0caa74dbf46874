import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { bundledDag, issuesOf, linesOf, specOf } from '../helpers/specs.ts';
import { concat, dag, each, eachOf, label, zipLongest } from '#sdk/index.ts';
import { runTypeScriptTask } from '#sdk/run-task.ts';

describe('groups', () => {
  test('prefix the ids of their tasks, wire first and last tasks, and pass defaults on', () => {
    const spec = specOf(
      dag('d', { retries: 1 }, ({ empty, group }) => {
        const start = empty('start');
        const load = group('load', { after: label(start, 'go'), retries: 2, label: 'Load all' }, ({ empty, group }) => {
          const a = empty('a');
          group('eu', { after: a, queue: 'eu' }, ({ empty }) => [empty('b'), empty('c', { retries: 0 })]);
          group('bare', { prefix: false }, ({ empty }) => empty('x'));
        });
        empty('end', { after: load });
      }).spec,
    );
    expect(linesOf(spec)).toEqual([
      'start',
      'load.a ← start',
      'load.eu.b ← load.a',
      'load.eu.c ← load.a',
      'x ← start',
      'end ← load.eu.b load.eu.c x',
    ]);
    expect(spec.tasks.map(({ group, retries, queue }) => `${group} ${retries} ${queue}`)).toEqual([
      'null 1 default',
      'load 2 default',
      'load.eu 2 eu',
      'load.eu 0 eu',
      'load.bare 2 default',
      'null 1 default',
    ]);
    expect(spec.tasks[1]?.edgeLabels).toEqual({ start: 'go' });
    expect(spec.groups.map(({ groupId, label: text }) => [groupId, text])).toEqual([
      ['load', 'Load all'],
      ['load.eu', null],
      ['load.bare', null],
    ]);
  });
  test('a mapped group waits in its map task, and its results are lists outside', () => {
    const spec = specOf(
      dag('d', {}, ({ task, empty, group }) => {
        const regions = task('regions', () => ['eu']);
        const gate = empty('gate');
        const load = group(
          'load',
          { map: { region: each(regions) }, after: gate, mapLimit: 5, mapName: '{{ region }}' },
          ({ task }) => {
            const read = task('read', ({ region }) => region);
            return task('write', { read }, ({ read }) => read);
          },
        );
        task('sum', { all: load.out }, ({ all }) => all.length);
      }).spec,
    );
    expect(linesOf(spec)).toEqual([
      'regions',
      'gate',
      'load.read ← load.__map__',
      'load.write ← load.read',
      'sum ← load.write',
      'load.__map__ ← gate regions',
    ]);
    const over = { kind: 'product', axes: { region: { kind: 'result', task: 'regions', key: 'return_value' } } };
    expect(spec.tasks.at(-1)).toMatchObject({
      kind: 'map',
      group: null,
      map: { over, limit: 5, name: '{{ region }}' },
    });
    expect(spec.tasks[3]?.inputs).toEqual({ read: { task: 'load.read', key: 'return_value' } });
    expect(spec.tasks[4]?.inputs).toEqual({ all: { task: 'load.write', key: 'return_value', list: true } });
  });
  test('setups and teardowns do not stand at the end of a group', () => {
    const spec = specOf(
      dag('d', {}, ({ empty, group }) => {
        const g = group('g', ({ empty, withSetup }) => {
          withSetup(empty('create'), empty('drop'), () => empty('work'));
        });
        empty('after', { after: g });
      }).spec,
    );
    expect(linesOf(spec)).toEqual(['g.create', 'g.drop ← g.work g.create', 'g.work ← g.create', 'after ← g.work']);
    expect(spec.tasks[0]?.setup).toBe(true);
    expect(spec.tasks[1]?.teardown).toEqual({ setups: ['g.create'], failsRun: false });
  });
});

describe('maps', () => {
  test('each, eachOf, zip and concat become the spec, and their tasks upstreams', () => {
    const spec = specOf(
      dag('d', {}, ({ task, bash, empty }) => {
        const a = task('a', () => [1]);
        const rows = task('rows', () => [{ n: 1 }]);
        const fixed = empty('fixed');
        task('product', { x: each(a), y: each(['p', 'q']), fixed }, { mapLimit: 3 }, ({ x, y }) => [x, y]);
        task('rowwise', eachOf(rows, { fixed }), ({ n }) => n);
        bash('joined', { inputs: { V: each(concat(a, [2])), W: each(zipLongest(0, a, rows)) }, command: 'true' });
      }).spec,
    );
    expect(linesOf(spec).slice(3)).toEqual(['product ← fixed a', 'rowwise ← fixed rows', 'joined ← a rows']);
    const result = (task: string) => ({ kind: 'result', task, key: 'return_value' });
    const [product, rowwise, joined] = spec.tasks.slice(3).map(({ map }) => map);
    expect(product).toEqual({
      over: { kind: 'product', axes: { x: result('a'), y: { kind: 'literal', items: ['p', 'q'] } } },
      limit: 3,
      name: null,
    });
    expect(rowwise?.over).toEqual({ kind: 'rows', from: result('rows') });
    expect(joined?.over).toEqual({
      kind: 'product',
      axes: {
        V: { kind: 'concat', sources: [result('a'), { kind: 'literal', items: [2] }] },
        W: { kind: 'zip', sources: [result('a'), result('rows')], fill: 0 },
      },
    });
  });
  test.each([
    ['lists', { over: { x: [1, 2] } }, { kind: 'literal', items: [1, 2] }],
    ['the id of a task', { over: { x: 'a' } }, { kind: 'result', task: 'a', key: 'return_value' }],
    ['a key of a result', { over: { x: { task: 'a', key: 'k' } } }, { kind: 'result', task: 'a', key: 'k' }],
    [
      'lists joined',
      { over: { x: { concat: [[1], { zip: ['a', [2]] }] } } },
      {
        kind: 'concat',
        sources: [
          { kind: 'literal', items: [1] },
          {
            kind: 'zip',
            sources: [
              { kind: 'result', task: 'a', key: 'return_value' },
              { kind: 'literal', items: [2] },
            ],
          },
        ],
      },
    ],
  ])('as YAML: %s', (_what, map, x) => {
    const spec = specOf({ dagId: 'd', tasks: [task('a'), task('b', { map })] });
    expect(spec.tasks[1]?.map).toEqual({ over: { kind: 'product', axes: { x } }, limit: null, name: null });
  });
  test('as YAML: rows', () => {
    const spec = specOf({
      dagId: 'd',
      tasks: [task('a'), task('b', { map: { rows: 'a', limit: 9, name: '{{ n }}' } })],
    });
    const from = { kind: 'result', task: 'a', key: 'return_value' };
    expect(spec.tasks[1]?.map).toEqual({ over: { kind: 'rows', from }, limit: 9, name: '{{ n }}' });
    expect(spec.tasks[1]?.upstream).toEqual(['a']);
  });
});

describe('decisions', () => {
  const flow = dag('d', {}, ({ task, empty, group, branch, shortCircuit, latestOnly }) => {
    const rows = task('rows', () => 3);
    const full = empty('full');
    const delta = group('delta', ({ empty }) => [empty('a'), empty('b')]);
    branch('pick', { choices: { everything: full, part: delta }, inputs: { rows } }, ({ rows }) =>
      rows > 5 ? 'everything' : rows > 1 ? ['part'] : null,
    );
    shortCircuit('check', { rows }, ({ rows }) => rows > 1);
    branch('template', { choose: [{ when: '{{ 1 }}', then: full }, { then: [delta] }] });
    latestOnly('latest', { after: rows });
  });
  const spec = specOf(flow.spec);
  test('what a branch chooses from waits for it', () => {
    expect(linesOf(spec).slice(1, 5)).toEqual([
      'full ← pick template',
      'delta.a ← pick template',
      'delta.b ← pick template',
      'pick ← rows',
    ]);
    expect(spec.tasks[4]).toMatchObject({
      kind: 'branch',
      runtime: 'typescript',
      targets: { delta: ['delta.a', 'delta.b'] },
    });
    expect(spec.tasks[5]).toMatchObject({ kind: 'short_circuit', runtime: 'typescript', ignoreTriggerRules: true });
    expect(spec.tasks[6]).toMatchObject({
      runtime: 'template',
      choose: [
        { when: '{{ 1 }}', then: ['full'] },
        { when: null, then: ['delta'] },
      ],
    });
  });
  test.each([
    [9, ['full']],
    [2, ['delta']],
    [0, []],
  ])('a branch answers with ids: %d', async (rows, ids) => {
    const { dispatch, host } = bundledDag(spec, 'pick', { rows });
    expect(await runTypeScriptTask({ default: flow }, dispatch, host)).toEqual(ids);
  });
});

const task = (taskId: string, more: object = {}) => ({ taskId, kind: 'bash', command: 'true', ...more });

describe('mistakes', () => {
  const of = (tasks: object[], groups: object[] = []) => issuesOf({ dagId: 'd', tasks, groups });
  const g = (groupId: string, more: object = {}) => ({ groupId, ...more });
  const inG = (taskId: string, more: object = {}) => task(taskId, { group: 'g', ...more });
  const over = { x: [1] };
  test.each<[string, string[], string | RegExp]>([
    [
      'an unknown group',
      of([task('a', { group: 'lod' })], [g('load')]),
      "tasks[0].group: There is no group 'lod' in this DAG. Did you mean 'load'? List it in 'groups'.",
    ],
    [
      'a group twice',
      of([inG('a')], [g('g'), g('g')]),
      "groups[1].groupId: 'g' is already the id of a group. Give each group its own id.",
    ],
    [
      'a group named as a task',
      of([inG('g')], [g('g')]),
      "tasks[0].taskId: 'g' is already the id of a group. Give the task another.",
    ],
    ['a bad group id', of([task('a')], [g('a..b')]), /^groups\[0\]\.groupId: 'a\.\.b' is not the id of a group/],
    [
      'an empty group to wait for',
      of([task('a', { upstream: 'g' })], [g('g')]),
      "tasks[0].upstream[0]: There is no task in the group 'g'.",
    ],
    [
      'a task that waits for its group',
      of([inG('a', { upstream: 'g' })], [g('g')]),
      "tasks[0].upstream[0]: A task cannot wait for the group 'g' that it stands in. Name the tasks it waits for.",
    ],
    [
      'a group that waits for what is inside it',
      of([inG('a')], [g('g', { upstream: 'a' })]),
      "groups[0].upstream[0]: The group 'g' cannot wait for 'a' inside it.",
    ],
    [
      'groups that wait for each other',
      of([inG('a'), task('b', { group: 'h' })], [g('g', { upstream: 'h' }), g('h', { upstream: 'g' })]),
      'groups[0].upstream: The groups wait for each other in a cycle: g → h → g. Remove one of these edges.',
    ],
    [
      'a cycle through a mapped group',
      of([inG('a'), task('b', { upstream: 'g' })], [g('g', { map: { over: { x: 'b' } } })]),
      'tasks[0].upstream: The tasks wait for each other in a cycle: a → b → g.__map__ → a. Remove one of these edges.',
    ],
    [
      'a group as an input',
      of([inG('a'), task('b', { inputs: { x: 'g' } })], [g('g')]),
      "tasks[1].inputs.x: 'g' is a group and has no result. Name one of its tasks.",
    ],
    [
      'a label without an edge',
      of([task('a'), task('b', { edgeLabels: { a: 'x' } })]),
      "tasks[1].edgeLabels.a: 'b' does not wait for 'a', so there is no edge to label.",
    ],
    [
      'a teardown of no setup',
      of([task('a'), task('b', { upstream: 'a', teardown: { setups: 'a' } })]),
      "tasks[1].teardown.setups[0]: 'a' is no setup. Give it 'setup: true'.",
    ],
    [
      'a teardown of an unknown setup',
      of([task('create', { setup: true }), task('b', { teardown: { setups: 'creat' } })]),
      "tasks[1].teardown.setups[0]: There is no task 'creat' in this DAG. Did you mean 'create'?",
    ],
    [
      'a teardown that does not wait for its setup',
      of([task('a', { setup: true }), task('b', { teardown: { setups: 'a' } })]),
      "tasks[1].teardown.setups[0]: 'b' tears 'a' down but does not wait for it. Name it in 'upstream', or the tasks between them.",
    ],
    [
      'a setup that is a teardown',
      of([task('a', { setup: true, teardown: true })]),
      "tasks[0].teardown: 'a' is a setup. Make the teardown a task of its own.",
    ],
    [
      'a mapped argument that is an input',
      of([task('a'), task('b', { inputs: { x: 'a' }, map: { over } })]),
      "tasks[1].inputs.x: 'x' is an argument of the map and an input of 'b'. Give one of them another name.",
    ],
    [
      'a mapped argument that is a variable',
      of([task('b', { env: { x: '1' }, map: { over } })]),
      "tasks[0]: 'x' is an argument of the map and an argument or variable of 'b'. Give one of them another name.",
    ],
    [
      'an argument of the group that is an input',
      of([task('a'), inG('b', { inputs: { x: 'a' } })], [g('g', { map: { over } })]),
      "tasks[1].inputs.x: 'x' is an argument of the map of the group 'g' and an input of 'b'. Give one of them another name.",
    ],
    [
      'a mapped task in a mapped group',
      of([inG('a', { map: { over: { y: [1] } } })], [g('g', { map: { over } })]),
      "tasks[0].map: A task in the mapped group 'g' cannot be mapped itself: it runs once per item of the group.",
    ],
    [
      'a mapped group in a mapped group',
      of([task('a', { group: 'g.h' })], [g('g', { map: { over } }), g('g.h', { map: { over: { y: [1] } } })]),
      "groups[1].map: 'g.h' stands in the mapped group 'g'. Map one of the two.",
    ],
    [
      'a mapped branch',
      of([{ taskId: 'a', kind: 'branch', choose: [{ then: [] }], map: { over } }]),
      "tasks[0].map: 'a' (branch) cannot be mapped: it decides about its direct downstream as a whole. Put it into a mapped group.",
    ],
    [
      'a mapped setup',
      of([task('a', { setup: true, map: { over } })]),
      "tasks[0].map: 'a' (bash) cannot be mapped: a setup or teardown belongs to all below it.",
    ],
    [
      'a mapped empty task',
      of([{ taskId: 'a', kind: 'empty', map: { over } }]),
      "tasks[0].map: 'a' (empty) cannot be mapped: it does nothing.",
    ],
    [
      'a decision of one copy about what lies outside',
      of(
        [{ taskId: 'a', kind: 'branch', group: 'g', choose: [{ then: 'b' }] }, task('b', { upstream: 'a' })],
        [g('g', { map: { over } })],
      ),
      /^tasks\[1\]\.upstream: 'a' decides once per item of the mapped group 'g', and 'b' lies outside it/,
    ],
    [
      'a limit too high',
      of([task('a', { map: { over, limit: 100_001 } })]),
      'tasks[0].map.limit: 100001 is not a whole number from 1 to 100000.',
    ],
    [
      'more instances than the limit',
      of([task('a', { map: { over: { x: [1, 2, 3], y: [1, 2] }, limit: 5 } })]),
      "tasks[0].map: It makes 6 instances; its limit is 5. Raise 'limit', or take several items at once.",
    ],
    [
      'a map over nothing',
      of([task('a', { map: { over: {} } })]),
      'tasks[0].map.over: A map needs at least one argument.',
    ],
    ['a map of both forms', of([task('a', { map: { over, rows: [] } })]), /^tasks\[0\]\.map: A map has either 'over'/],
    [
      'a map over no list',
      of([task('a', { map: { over: { x: 3 } } })]),
      'tasks[0].map.over.x: 3 is not a list to map over. Give a list, the id of a task, { task, key }, { zip: [ … ] } or { concat: [ … ] }.',
    ],
    [
      'a map over an unknown task',
      of([task('a', { map: { over: { x: 'b' } } })]),
      "tasks[0].map: There is no task 'b' in this DAG.",
    ],
    [
      'a map task made by hand',
      of([{ taskId: 'a', kind: 'map' }]),
      "tasks[0].kind: A task of kind 'map' is made for a mapped group. Give the group a 'map' instead.",
    ],
    [
      'an id of a map task',
      of([task('a.__map__')]),
      "tasks[0].taskId: An id that ends in '.__map__' is that of a mapped group's own task.",
    ],
    [
      'a mapped group without tasks',
      of([task('a')], [g('g', { map: { over } })]),
      "groups[0]: There is no task in the mapped group 'g'.",
    ],
    [
      'a choice that does not wait',
      of([{ taskId: 'a', kind: 'branch', choose: [{ then: 'b' }] }, task('b')]),
      "tasks[0].choose[0].then[0]: A branch chooses among what waits for it directly, and the task 'b' does not.",
    ],
    [
      'a branch that has nothing to decide with',
      of([{ taskId: 'a', kind: 'branch' }]),
      "tasks[0]: A branch without 'choose' has either 'callable' ('file.py:function') or 'source'.",
    ],
    [
      'a decision whose source decides nothing',
      of([{ taskId: 'a', kind: 'short_circuit', source: 'pass' }]),
      "tasks[0].source: The source needs a function 'main': what it returns is the decision.",
    ],
    [
      'a decision of two kinds',
      of([{ taskId: 'a', kind: 'short_circuit', callable: 'a.py:f', condition: '{{ 1 }}' }]),
      "tasks[0]: With the runtime 'template' there is no 'callable' and no 'source'.",
    ],
    [
      'a wrong default of a group',
      of([inG('a')], [g('g', { defaults: { retries: -1 } })]),
      'groups[0].defaults.retries: -1 is not a whole number from 0 to 1000.',
    ],
  ])('%s', (_name, issues, expected) => {
    expect(issues).toHaveLength(1);
    if (expected instanceof RegExp) expect(issues[0]).toMatch(expected);
    else expect(issues[0]).toBe(expected);
  });
  test('groups of thousands that wait for each other do not become millions of edges', () => {
    const many = (group: string) => Array.from({ length: 5000 }, (_, index) => task(`${group}.${index}`, { group }));
    expect(of([...many('a'), ...many('b')], [g('a'), g('b', { upstream: 'a' })])).toEqual([
      'tasks: More than 500000 edges; at most 500000 are allowed. Put an empty task between wide layers.',
    ]);
  });
});

test('of any groups and maps: ids are known, there is no cycle, and the spec validates to itself', () => {
  const groups = fc.uniqueArray(fc.constantFrom('a', 'b', 'a.x', 'a.y', 'a.x.z', 'b.x'), { maxLength: 5 });
  const tasks = fc.array(
    fc.record({ group: fc.nat(9), parents: fc.array(fc.nat(30), { maxLength: 3 }), map: fc.nat(9), setup: fc.nat(6) }),
    { minLength: 1, maxLength: 14 },
  );
  let valid = 0;
  fc.assert(
    fc.property(groups, tasks, fc.array(fc.nat(9), { maxLength: 5 }), fc.nat(5), (ids, list, waits, mapped) => {
      const names = [
        ...new Set(ids.flatMap((id) => id.split('.').map((_, at, parts) => parts.slice(0, at + 1).join('.')))),
      ];
      const input = {
        dagId: 'd',
        groups: names.map((groupId, at) => ({
          groupId,
          // Only what stands before all groups, or a group before
          upstream:
            waits[at] === undefined
              ? ['t0']
              : names
                  .slice(0, at)
                  .filter((other) => !groupId.startsWith(`${other}.`))
                  .slice(0, waits[at]),
          ...(mapped === at && { map: { over: { g: 't0' } } }),
        })),
        tasks: list.map(({ group, parents, map, setup }, index) => ({
          taskId: `t${index}`,
          kind: 'bash',
          command: '',
          group: index === 0 ? null : (names[group] ?? null),
          upstream:
            index === 0
              ? []
              : parents.map((parent) => (parent > 20 ? (names[parent - 21] ?? 't0') : `t${parent % index}`)),
          ...(map === 0 && index > 0 && { map: { over: { m: `t${index - 1}` } } }),
          ...(setup === 0 && { setup: true }),
        })),
      };
      const issues = issuesOf(input);
      if (issues.length > 0) {
        // What cannot be known beforehand of a random graph, and nothing else
        for (const issue of issues)
          expect(issue).toMatch(/in a cycle|stands in|cannot be mapped|no task in the (mapped )?group|inside it/);
        return;
      }
      valid += 1;
      const spec = specOf(input);
      const at = new Map(spec.tasks.map((each, index) => [each.taskId, index]));
      const done = new Set<string>();
      for (let size = -1; size < done.size;) {
        size = done.size;
        for (const each of spec.tasks) if (each.upstream.every((id) => done.has(id))) done.add(each.taskId);
      }
      expect(done.size).toBe(spec.tasks.length);
      for (const each of spec.tasks) for (const id of each.upstream) expect(at.has(id)).toBe(true);
      expect(specOf(spec)).toEqual(spec);
    }),
    { numRuns: 300 },
  );
  expect(valid).toBeGreaterThan(30);
});
