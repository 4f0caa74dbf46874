/** What the service answers to commands of workers. */
import type { WorkerUsage } from '#db/queries/worker.ts';
import type { Connection } from './pages.ts';

export interface WorkerAnswer {
  id: string;
  name: string;
  state: 'ONLINE' | 'DRAINING' | 'OFFLINE';
  drain: 'FINISH' | 'HAND_BACK' | null;
  queues: string[];
  slots: number;
  running: number;
  finished: number;
  labels: { name: string; value: string }[];
  version: string;
  hostname: string | null;
  pid: number | null;
  startedAt: string;
  lastBeatAt: string;
  usage: WorkerUsage | null;
}

export interface RunningTask {
  taskId: string;
  mapIndex: number;
  tryNumber: number;
  startedAt: string | null;
  dagRun: { runId: string; dag: { dagId: string } };
}

export interface ShownWorker extends WorkerAnswer {
  tasks: Connection<RunningTask>;
}
