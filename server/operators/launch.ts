import type { HttpFields, SqlFields } from '#sdk/operator-spec.ts';
import type { ConnectionValue, Dispatch, Json, XComValue } from '#sdk/protocol.ts';
import type { TaskKind, TaskSpec } from '#sdk/dag-spec.ts';
import type { SensorTarget } from '#sdk/waiting-spec.ts';

/** An http task with its address, headers and body put together. Header names are in lower case. */
export interface HttpLaunch extends Omit<HttpFields, 'connection' | 'url' | 'path' | 'query' | 'json' | 'form'> {
  url: string;
  connection: ConnectionValue | null;
}
export interface SqlLaunch extends Omit<SqlFields, 'connection'> {
  connection: ConnectionValue;
  /** What the database shows of who is connected. */
  applicationName: string;
  /** Seconds; null: no limit. */
  executionTimeout: number | null;
}

/** What to start for a dispatch, with every template rendered. */
export type Launch =
  /** Nothing to run: it has succeeded, with this result if there is one. */
  | { how: 'nothing'; result?: Json }
  | { how: 'shell'; command: string; env: { [name: string]: string }; skipOnExitCode: number | null }
  | {
      how: 'python';
      callable: string | null;
      source: string | null;
      kwargs: { [name: string]: Json };
      /** Inputs too large to be sent: the process reads them itself. */
      largeInputs: { [name: string]: XComValue[] };
    }
  | { how: 'node' }
  | { how: 'operator'; operator: HttpLaunch | SqlLaunch }
  | { how: 'look'; target: SensorTarget; connections: { [id: string]: ConnectionValue } };

/** Renders one templated field; the field's name is for the error. */
export type Render = (field: string, template: string) => string;

export type Prepare<Kind extends TaskKind> = (
  task: Extract<TaskSpec, { kind: Kind }>,
  dispatch: Dispatch,
  render: Render,
) => Launch;
