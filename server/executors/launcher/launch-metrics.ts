/** What is counted of the launches on one cluster; whoever wants figures gives one, see server/metrics/. */
import type { LaunchPhase, LaunchState } from '#db/queries/launches.ts';
import type { TaskReport } from '#sdk/protocol.ts';
import type { OnRequest } from '../kubernetes/kube-connection.ts';
import type { WatchCounters } from '../kubernetes/object-watch.ts';

/**
 * `create`: from its claim until the cluster has its Pod. `quota`: the part of it since a quota first refused it. `schedule`: until a
 * node has it. `start`: until its code begins. `first_log`: from the Pod's creation until its first line is here. `run`: from the start
 * of its code to the end.
 */
export type LaunchStep = 'create' | 'quota' | 'schedule' | 'start' | 'first_log' | 'run';

export interface LaunchMetrics {
  /** Nothing when one of the two is not known. */
  took(step: LaunchStep, from: Date | null | undefined, to: Date | null | undefined): void;
  reported(report: Pick<TaskReport, 'outcome' | 'cause'>): void;
  adopted(launches: number): void;
  /** What the cluster has was held against what it should have. `orphans`: deleted. */
  reconciled(orphans: number): void;
  requested: OnRequest;
  /** Is asked whenever somebody reads the figures. Returns what ends that. */
  observe(source: LaunchSource): () => void;
}

/** How things stand now. */
export interface LaunchSource {
  phases(): Iterable<LaunchPhase>;
  /** Launches that wait for their turn to be created. */
  lineLength(): number;
  watches(): Iterable<Readonly<WatchCounters>>;
}

const nothing = () => undefined;
export const NO_METRICS: LaunchMetrics = {
  took: nothing,
  reported: nothing,
  adopted: nothing,
  reconciled: nothing,
  requested: nothing,
  observe: () => nothing,
};

type Times = Pick<LaunchState, 'createdAt' | 'scheduledAt' | 'startedAt'>;

/** Each step once, when its end is seen first. */
export function noteSteps({ took }: LaunchMetrics, before: Times, after: Times): void {
  if (!before.scheduledAt) took('schedule', after.createdAt, after.scheduledAt);
  if (!before.startedAt) took('start', after.scheduledAt, after.startedAt);
}
