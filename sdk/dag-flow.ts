/** Decisions, setup and teardown among the calls of a build function. */
import type { AddTask, Building, Entry } from './dag-builder.ts';
import type { Choices } from './flow-types.ts';
import type { TaskHandler, TaskOptions, TaskRef } from './task-types.ts';
import { idOf, type Fields } from './written-fields.ts';

type Options = TaskOptions & Fields & { inputs?: object };

export function createFlowBuilder({ entries, tasks, handlers, where }: Building, add: AddTask) {
  /** Makes what was chosen among wait for the branch. */
  const follow = (branchId: string, id: string) => {
    const entry = entries.get(id);
    if (entry && !entry.upstream.includes(branchId)) entry.upstream.push(branchId);
  };
  const entryOf = (what: string, ref: TaskRef): Entry => {
    const entry = entries.get(idOf(what, ref));
    if (entry && 'taskId' in entry) return entry;
    throw new Error(`${what}: pass a task of this DAG.`);
  };

  const branch = (
    id: string,
    options: Options & { choices?: Choices | unknown[]; choose?: unknown },
    decide?: unknown,
  ) => {
    const { choices, choose, inputs = {}, ...rest } = options;
    const at = `the branch '${id}'`;
    const ids: { [name: string]: string } = {};
    for (const [name, ref] of Object.entries(choices ?? {})) ids[name] = idOf(`${at}: the choice '${name}'`, ref);
    const templates = (choose as { when?: string; then: unknown }[] | undefined)?.map(({ when, then }) => ({
      when: when ?? null,
      then: [then].flat().map((ref, index) => idOf(`${at}: then[${index}]`, ref)),
    }));
    const isCode = typeof decide === 'function';
    const ref = add(id, 'branch', inputs, rest, {
      runtime: isCode ? 'typescript' : templates ? 'template' : 'python',
      ...(templates && { choose: templates }),
    });
    for (const chosen of [...Object.values(ids), ...(templates ?? []).flatMap(({ then }) => then)])
      follow(ref.taskId, chosen);
    if (isCode)
      handlers[ref.taskId] = async (args) => chosenIds(where(ref.taskId), ids, await (decide as TaskHandler)(args));
    return ref;
  };

  const shortCircuit = (id: string, ...rest: unknown[]) => {
    if (typeof rest.at(-1) !== 'function') {
      const { inputs = {}, ...options } = (rest[0] ?? {}) as Options;
      return add(id, 'short_circuit', inputs, options, {
        runtime: options['condition'] === undefined ? 'python' : 'template',
      });
    }
    const holds = rest.pop() as TaskHandler;
    const [inputs = {}, options = {}] = rest as [object?, TaskOptions?];
    const ref = add(id, 'short_circuit', inputs, options, { runtime: 'typescript' });
    handlers[ref.taskId] = async (args) => Boolean(await holds(args));
    return ref;
  };

  const setup = <Ref extends TaskRef>(ref: Ref): Ref => {
    entryOf('setup()', ref)['setup'] = true;
    return ref;
  };
  const teardown = <Ref extends TaskRef>(
    ref: Ref,
    { setups = [], failsRun = false }: { setups?: TaskRef | TaskRef[]; failsRun?: boolean } = {},
  ): Ref => {
    const entry = entryOf('teardown()', ref);
    const ids = [setups].flat().map((each) => idOf(`teardown() of '${ref.taskId}': a setup`, setup(each)));
    entry['teardown'] = { setups: ids, failsRun };
    entry.upstream = [...new Set([...entry.upstream, ...ids])];
    return ref;
  };
  const withSetup = (before: TaskRef, after: TaskRef, body: () => unknown) => {
    setup(before);
    const first = tasks.length;
    const out = body();
    const made = tasks.slice(first);
    const ids = new Set(made.map((entry) => String(entry['taskId'])));
    const waits = (entry: Entry) => namesOf(entry).filter((id) => ids.has(id));
    const followed = new Set(made.flatMap(waits));
    for (const entry of made) if (waits(entry).length === 0) entry.upstream.push(before.taskId);
    const last = [...ids].filter((id) => !followed.has(id));
    const end = entryOf('withSetup()', after);
    end.upstream = [...new Set([...end.upstream, ...last])];
    teardown(after, { setups: before });
    return out;
  };
  const latestOnly = (id: string, options: TaskOptions = {}) => add(id, 'latest_only', {}, options);
  return { branch, shortCircuit, latestOnly, setup, teardown, withSetup };
}

/** Ids of the tasks that an entry waits for, also by an input. */
const namesOf = ({ upstream, inputs }: Entry): string[] => [
  ...upstream,
  ...Object.values((inputs ?? {}) as { [name: string]: { task: string } }).map((input) => input.task),
];

/** From the names that a branch's function returned to ids. Another name stays what it is: the runner says what may be chosen. */
function chosenIds(where: string, ids: { [name: string]: string }, chosen: unknown): string[] {
  if (chosen === null || chosen === undefined) return [];
  return [chosen].flat().map((name) => {
    if (typeof name !== 'string')
      throw new Error(`${where}: a branch returns names of its choices, not ${String(name)}.`);
    return Object.hasOwn(ids, name) ? (ids[name] ?? name) : name;
  });
}
