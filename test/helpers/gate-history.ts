/** Limits over time: what the events of all runs together held at every instant, by the words of their specs alone. */
import type { TaskSpec } from '../../sdk/dag-spec.ts';
import { instanceKey } from '#db/replay/flow-rules.ts';
import { holdsOf } from '#db/replay/held-slots.ts';
import type { RunRecord } from '#db/replay/run-record.ts';

interface Change {
  at: number;
  by: number;
  text: string;
}

interface Gate {
  most: number;
  changes: Change[];
}

/** `pools`: slots by name, which nobody has changed meanwhile. Those that wait deferred hold nothing here. */
export function limitProblems(records: readonly RunRecord[], pools: { [name: string]: number }): string[] {
  const gates = new Map<string, Gate>();
  for (const record of records) collect(record, pools, gates);
  return [...gates].flatMap(([name, { most, changes }]) => {
    // Of the same microsecond, ends come first
    changes.sort((a, b) => a.at - b.at || a.by - b.by);
    let held = 0;
    const first = changes.findIndex(({ by }) => (held += by) > most);
    if (first < 0) return [];
    const around = changes
      .slice(Math.max(0, first - 20), first + 20)
      .map(({ at, by, text }) => `    ${at} ${by} ${text}`);
    return [`${name} had ${held} of its ${most} slots taken at ${changes[first]!.at}:\n${around.join('\n')}`];
  });
}

function collect(record: RunRecord, pools: { [name: string]: number }, gates: Map<string, Gate>): void {
  const active = new Map<string, boolean>();
  for (const { at, body } of record.events)
    for (const [taskIndex, mapIndex, state, tryNumber] of body.t ?? []) {
      const task = record.spec.tasks[taskIndex];
      const key = instanceKey({ taskIndex, mapIndex });
      const isActive = state === 'queued' || state === 'running';
      // The row that stands for all instances takes no slot
      if (!task || task.kind === 'empty' || isActive === (active.get(key) ?? false) || isPlaceholder(task, mapIndex))
        continue;
      active.set(key, isActive);
      for (const [gate, slots] of Object.entries(holdsOf(task, record))) {
        const known = gates.get(gate) ?? { most: mostOf(gate, task, record, pools), changes: [] };
        gates.set(gate, known);
        known.changes.push({
          at,
          by: isActive ? slots : -slots,
          text: `run ${record.run.id} task ${key} ${state}#${tryNumber}`,
        });
      }
    }
}

const isPlaceholder = (task: TaskSpec, mapIndex: number): boolean => mapIndex === -1 && task.map !== null;

function mostOf(gate: string, task: TaskSpec, { spec }: RunRecord, pools: { [name: string]: number }): number {
  const [kind = '', name = ''] = gate.split(':');
  if (kind === 'pool') return pools[name] ?? 0;
  if (kind === 'dag') return spec.maxActiveTasksPerDag ?? Infinity;
  if (kind === 'task') return task.maxActiveTis ?? Infinity;
  if (kind === 'run') return task.maxActiveTisPerRun ?? Infinity;
  return task.concurrencyKey?.limit ?? Infinity;
}
