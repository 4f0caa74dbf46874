import type { Launch } from '../operators/launch.ts';
import { createNodeRuntime } from './node-runtime.ts';
import type { Runtime, RuntimeDeps } from './runtime.ts';
import type { SupervisedTask } from './supervised-task.ts';

type OperatorLaunch = Extract<Launch, { how: 'operator' }>;

/** Runs `http` and `sql` tasks in warm Node processes of their own. */
export function createOperatorRuntime(deps: RuntimeDeps): Runtime<'operator'> {
  const launches = new WeakMap<SupervisedTask, OperatorLaunch>();
  const node = createNodeRuntime(deps, {
    entry: 'operator-child',
    // All of them have loaded the same
    bundleOf: () => '',
    workOf(task) {
      const { dispatch, bundleDir } = task;
      const launch = launches.get(task);
      // All that it needs is in the operator
      return { dispatch: { ...dispatch, connections: {} }, bundleDir, ...(launch && { operator: launch.operator }) };
    },
  });
  return {
    ...node,
    start(task, launch) {
      launches.set(task, launch);
      node.start(task, { how: 'node' });
    },
  };
}
