/** What the service answers to commands of workers. */
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
  usage: {
    cpus: number;
    cpuUsed: number | null;
    load: number;
    memoryLimit: number;
    memoryUsed: number;
    ownCpu: number | null;
    ownMemory: number;
  } | null;
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
