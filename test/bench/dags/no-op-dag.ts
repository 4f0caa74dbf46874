import { dag, type Dag, type TaskRef } from 'millrace';
import { GRAPHS, type ShapeName } from '../graphs.ts';

export const noOpDag = (shape: ShapeName): Dag =>
  dag(`bench_${shape}`, { maxActiveRuns: 10_000, maxActiveTasks: 100_000 }, ({ task }) => {
    const made: { [taskId: string]: TaskRef } = {};
    for (const [taskId, upstream] of Object.entries(GRAPHS[shape]())) {
      const after = upstream.flatMap((id) => made[id] ?? []);
      made[taskId] = task(taskId, {}, { after }, () => undefined);
    }
  });
