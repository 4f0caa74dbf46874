import { formatDuration, formatTime, printLine, printTable } from './output.ts';
import type { RunningTask, ShownWorker, WorkerAnswer } from './worker-answers.ts';

/** One line of the list. */
export function workerRow(worker: WorkerAnswer) {
  const { usage } = worker;
  return {
    name: worker.name,
    state: stateOf(worker),
    queues: worker.queues.join(','),
    running: `${worker.running}/${worker.slots}`,
    cpu: usage ? `${cpus(usage.cpuUsed)}/${cpus(usage.cpus)}` : '',
    memory: usage ? `${gib(usage.memoryUsed)}/${gib(usage.memoryLimit)}` : '',
    labels: worker.labels.map(({ name, value }) => `${name}=${value}`).join(','),
    version: worker.version,
    'last beat': formatTime(worker.lastBeatAt),
  };
}

/** All about one, for people. */
export function printWorker(worker: ShownWorker): void {
  for (const [label, value] of facts(worker)) if (value) printLine(`${label.padEnd(14)}${value}`);
  const tasks = worker.tasks.edges.map(({ node }) => taskRow(node));
  if (tasks.length > 0) printLine('');
  printTable(tasks, 'It runs nothing.');
}

const stateOf = ({ state, drain }: WorkerAnswer): string =>
  state.toLowerCase() + (state === 'DRAINING' && drain === 'HAND_BACK' ? ', hands back' : '');

function facts(worker: ShownWorker): [label: string, value: string | null][] {
  const { usage } = worker;
  return [
    ['name', worker.name],
    ['state', stateOf(worker)],
    ['queues', worker.queues.join(', ')],
    ['slots', `${worker.running} of ${worker.slots} in use`],
    ['finished', `${worker.finished} tasks`],
    ['labels', worker.labels.map(({ name, value }) => `${name}=${value}`).join(', ')],
    ['version', worker.version],
    ['runs on', [worker.hostname, worker.pid && `process ${worker.pid}`].filter(Boolean).join(', ')],
    ['CPU', usage && `${cpus(usage.cpuUsed)} of ${cpus(usage.cpus)} in use, ${cpus(usage.ownCpu)} by it and its tasks`],
    ['load', usage && usage.load.toFixed(2)],
    [
      'memory',
      usage &&
        `${gib(usage.memoryUsed)} of ${gib(usage.memoryLimit)} in use, ${gib(usage.ownMemory)} by it and its tasks`,
    ],
    ['started', formatTime(worker.startedAt)],
    ['last beat', formatTime(worker.lastBeatAt)],
  ];
}

const taskRow = ({ dagRun, taskId, mapIndex, tryNumber, startedAt }: RunningTask) => ({
  dag: dagRun.dag.dagId,
  run: dagRun.runId,
  task: mapIndex < 0 ? taskId : `${taskId}[${mapIndex}]`,
  try: tryNumber,
  since: formatTime(startedAt),
  runs: formatDuration(startedAt, new Date().toISOString()),
});

/** Not known yet until the second beat. */
const cpus = (count: number | null): string => (count === null ? '?' : String(Math.round(count * 10) / 10));
const gib = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(1)}Gi`;
