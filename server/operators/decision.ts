import type { BranchTaskSpec, ShortCircuitTaskSpec, TaskSpec } from '#sdk/dag-spec.ts';
import type { Json } from '#sdk/protocol.ts';
import type { Launch, Prepare, Render } from './launch.ts';
import { preparePythonCode } from './python.ts';
import type { Dispatch } from '#sdk/protocol.ts';

/** What templates print for something that is not so. */
const FALSY: ReadonlySet<string> = new Set(['', '0', '0.0', 'false', 'none', 'null', '[]', '{}', '()']);
const holds = (rendered: string): boolean => !FALSY.has(rendered.trim().toLowerCase());

export const prepareBranch: Prepare<'branch'> = (task, dispatch, render) =>
  prepareDecision(task, dispatch, render, () => {
    const at = task.choose.findIndex(
      ({ when }, index) => when === null || holds(render(`choose[${index}].when`, when)),
    );
    return task.choose[at]?.then ?? null;
  });

export const prepareShortCircuit: Prepare<'short_circuit'> = (task, dispatch, render) =>
  prepareDecision(task, dispatch, render, () => holds(render('condition', task.condition ?? '')));

function prepareDecision(
  task: BranchTaskSpec | ShortCircuitTaskSpec,
  dispatch: Dispatch,
  render: Render,
  decide: () => Json,
): Launch {
  if (task.runtime === 'python') return preparePythonCode(task, dispatch, render);
  if (task.runtime === 'typescript') return { how: 'node' };
  return { how: 'nothing', result: decide() };
}

/** The service settles these itself; no worker is given one. */
export function inService(task: TaskSpec): never {
  throw new Error(
    `a task of kind '${task.kind}' is settled by the service. Update the service and its workers to one version`,
  );
}

/** So too the launcher of a cluster; a trial has none. */
export function onCluster(task: TaskSpec): never {
  throw new Error(
    `a task of kind '${task.kind}' runs on a Kubernetes cluster. Deploy its DAG to a service that knows the cluster`,
  );
}
