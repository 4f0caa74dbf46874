import type { Dispatch, Json } from '#sdk/protocol.ts';
import type { TaskKind, TaskSpec } from '#sdk/dag-spec.ts';

/** What to start for a dispatch, with every template rendered. */
export type Launch =
  /** Nothing to run: it has succeeded, with this result if there is one. */
  | { how: 'nothing'; result?: Json }
  | { how: 'shell'; command: string; env: { [name: string]: string }; skipOnExitCode: number | null }
  | { how: 'python'; callable: string | null; source: string | null; kwargs: { [name: string]: Json } }
  | { how: 'node' };

/** Renders one templated field; the field's name is for the error. */
export type Render = (field: string, template: string) => string;

export type Prepare<Kind extends TaskKind> = (
  task: Extract<TaskSpec, { kind: Kind }>,
  dispatch: Dispatch,
  render: Render,
) => Launch;
