/** Which tasks of a group stand at its edge: what waits for the group waits for its leaves, and the group's waiting is its entries'. */
import type { TaskSpec } from './dag-spec.ts';
import { withParents } from './read-groups.ts';

export interface GroupEdges {
  /** Indexes of the tasks in the group and in those inside it. */
  membersOf(groupId: string): readonly number[];
  entriesOf(groupId: string): readonly number[];
  leavesOf(groupId: string): readonly number[];
}

interface Marks {
  members: number[];
  /** Tasks that wait for another of the group. */
  inner: Set<number>;
  /** Tasks that another of the group waits for, teardowns apart. */
  followed: Set<number>;
  /** Tasks that a teardown of the group waits for. */
  tornDown: Set<number>;
  /** Groups inside it that wait for a task of it, or that one of it waits for. */
  innerGroups: Set<string>;
  followedGroups: Set<string>;
}

/** `waits` gives the ids of tasks and groups that a task names; `groupWaits` those that a group names. */
export function findGroupEdges(
  tasks: readonly TaskSpec[],
  indexOf: ReadonlyMap<string, number>,
  waits: readonly (readonly string[])[],
  groupWaits: ReadonlyMap<string, readonly string[]>,
): GroupEdges {
  const marks = new Map<string, Marks>();
  for (const groupId of groupWaits.keys()) marks.set(groupId, emptyMarks());
  const around = (group: string | null) => (group === null ? [] : withParents(group));
  tasks.forEach((task, index) => around(task.group).forEach((group) => marks.get(group)?.members.push(index)));

  /** The groups around a task or a group that is named, itself not among them. */
  const groupsAround = (named: string): ReadonlySet<string> => {
    const task = tasks[indexOf.get(named) ?? -1];
    return new Set(task ? around(task.group) : withParents(named).slice(1));
  };
  const mark = (groups: readonly string[], named: string, isTeardown: boolean, add: (marks: Marks) => void) => {
    const outer = groupsAround(named);
    const index = indexOf.get(named);
    for (const groupId of groups) {
      const found = outer.has(groupId) ? marks.get(groupId) : undefined;
      if (!found) continue;
      add(found);
      if (index === undefined) found.followedGroups.add(named);
      else (isTeardown ? found.tornDown : found.followed).add(index);
    }
  };
  tasks.forEach((task, index) => {
    if (task.group === null) return;
    const groups = around(task.group);
    for (const named of waits[index] ?? [])
      mark(groups, named, task.teardown !== null, (found) => found.inner.add(index));
  });
  for (const [groupId, named] of groupWaits)
    for (const id of named) mark(withParents(groupId).slice(1), id, false, (found) => found.innerGroups.add(groupId));

  const membersOf = (groupId: string) => marks.get(groupId)?.members ?? [];
  const insideOf = (groups: ReadonlySet<string>) => new Set([...groups].flatMap(membersOf));
  return {
    membersOf,
    entriesOf: remember((groupId) => {
      const found = marks.get(groupId) ?? emptyMarks();
      const inner = insideOf(found.innerGroups);
      return found.members.filter((index) => !found.inner.has(index) && !inner.has(index));
    }),
    leavesOf: remember((groupId) => leaves(tasks, marks.get(groupId) ?? emptyMarks(), insideOf)),
  };
}

/** Teardowns are no leaves, nor are setups of which only they make use; unless there is nothing else. */
function leaves(
  tasks: readonly TaskSpec[],
  { members, followed, followedGroups, tornDown }: Marks,
  insideOf: (groups: ReadonlySet<string>) => ReadonlySet<number>,
): number[] {
  const inside = insideOf(followedGroups);
  const last = members.filter((index) => !followed.has(index) && !inside.has(index));
  const work = last.filter((index) => tasks[index]?.teardown === null);
  const used = work.filter((index) => !(tasks[index]?.setup && tornDown.has(index)));
  return used.length > 0 ? used : work.length > 0 ? work : last.filter((index) => !tornDown.has(index));
}

const emptyMarks = (): Marks => ({
  members: [],
  inner: new Set(),
  followed: new Set(),
  tornDown: new Set(),
  innerGroups: new Set(),
  followedGroups: new Set(),
});

function remember(make: (groupId: string) => readonly number[]): (groupId: string) => readonly number[] {
  const made = new Map<string, readonly number[]>();
  return (groupId) => {
    const value = made.get(groupId) ?? make(groupId);
    made.set(groupId, value);
    return value;
  };
}
