/** A CronJob of Kubernetes as a DAG. Pure: what could not be carried over is told. */
import type { DagSpecInput } from '#sdk/dag-spec.ts';
import { containerTask, type ContainerTask, type PodRetries } from './container-task.ts';
import { createFields, isPlain, type Fields, type Finding, type Plain } from './manifest-fields.ts';

export interface ImportedDag {
  spec: DagSpecInput;
  findings: Finding[];
  /** Notes of tasks, in their order. */
  notes: string[][];
}

/** Kubernetes tries a Pod so often again when nothing is said. */
const DEFAULT_BACKOFF_LIMIT = 6;
const OVERLAPS: { [policy: string]: string } = { Allow: 'allow', Forbid: 'skip', Replace: 'cancel_running' };
/** What the API server writes about the object. */
const OF_THE_SERVER = [
  'uid',
  'resourceVersion',
  'generation',
  'creationTimestamp',
  'managedFields',
  'selfLink',
  'ownerReferences',
];

export function cronJobDag(manifest: Plain): ImportedDag {
  const findings: Finding[] = [];
  const root = createFields(manifest, '', findings);
  root.ignore('apiVersion', 'kind', 'status');
  const metadata = readMetadata(root.object('metadata'));
  const cron = root.object('spec');
  const timing = readTiming(cron);
  const template = cron.object('jobTemplate');
  template.ignore('metadata');
  const job = readJob(template.object('spec'));
  const notes = [...job.containers.map((container) => container.notes)];
  root.finish();
  const spec: DagSpecInput = {
    ...metadata,
    ...timing,
    ...(job.deadline !== null && { dagrunTimeout: job.deadline }),
    tasks: job.containers.map(({ task }) => task),
  };
  return { spec, findings, notes };
}

function readMetadata(metadata: Fields): { dagId: string; description: string; tags?: string[] } {
  const name = metadata.text('name') ?? 'cronjob';
  const namespace = metadata.text('namespace');
  const labels = metadata.take('labels');
  const tags = isPlain(labels)
    ? Object.entries(labels).map(([key, value]) => `${key}=${String(value)}`.slice(0, 100))
    : [];
  metadata.ignore(...OF_THE_SERVER);
  const annotations = metadata.object('annotations');
  annotations.ignore('kubectl.kubernetes.io/last-applied-configuration');
  return {
    dagId: name.replace(/[^A-Za-z0-9_.-]/g, '_'),
    description: `CronJob ${namespace === null ? '' : `${namespace}/`}${name}`,
    ...(tags.length > 0 && { tags: tags.slice(0, 64) }),
  };
}

function readTiming(cron: Fields): Plain {
  const written = cron.text('schedule') ?? '';
  // The old way to name a zone.
  const [, zone, expression = written] = /^(?:CRON_TZ|TZ)=(\S+)\s+(.*)$/.exec(written) ?? [];
  const timezone = cron.text('timeZone') ?? zone ?? null;
  const policy = cron.text('concurrencyPolicy') ?? 'Allow';
  const overlap = OVERLAPS[policy];
  if (overlap === undefined) cron.warn(`"${policy}" is not known; runs may overlap.`, 'concurrencyPolicy');
  if (written === '') cron.warn('There is no schedule: the DAG runs only when asked.', 'schedule');
  const deadline = cron.number('startingDeadlineSeconds');
  if (deadline !== null)
    cron.warn(
      'Left out: of the times that passed while nothing could start, the newest is made up for, however late.',
      'startingDeadlineSeconds',
    );
  for (const name of ['successfulJobsHistoryLimit', 'failedJobsHistoryLimit'])
    if (cron.take(name) !== undefined) cron.warn('Left out: runs are kept as long as the service keeps them.', name);
  return {
    schedule: expression === '' ? null : expression.replaceAll('?', '*'),
    ...(timezone !== null && { timezone }),
    ...(overlap !== undefined && overlap !== 'allow' && { overlap }),
    ...(cron.take('suspend') === true && { pausedOnCreation: true }),
  };
}

interface Job {
  deadline: number | null;
  containers: ContainerTask[];
}

function readJob(job: Fields): Job {
  const retries = job.number('backoffLimit') ?? DEFAULT_BACKOFF_LIMIT;
  const deadline = job.number('activeDeadlineSeconds');
  job.ignoreDefaults({
    completions: 1,
    parallelism: 1,
    completionMode: 'NonIndexed',
    suspend: false,
    manualSelector: false,
  });
  for (const name of ['completions', 'parallelism'])
    if (job.take(name) !== undefined)
      job.warn('Left out: the task runs once. Map it over a list to run it so often.', name);
  if (job.take('ttlSecondsAfterFinished') !== undefined)
    job.warn('Left out: runs are kept as long as the service keeps them.', 'ttlSecondsAfterFinished');
  const template = job.object('template');
  const metadata = template.object('metadata');
  metadata.ignore('creationTimestamp', 'labels');
  const pod = template.object('spec');
  const podDeadline = pod.number('activeDeadlineSeconds');
  const shortest = [deadline, podDeadline].filter((seconds) => seconds !== null);
  const timeout = shortest.length > 0 ? Math.min(...shortest) : null;
  return { deadline, containers: readContainers(pod, { retries, timeout }) };
}

function readContainers(pod: Fields, retries: PodRetries): ContainerTask[] {
  pod.ignore('restartPolicy', 'enableServiceLinks', 'preemptionPolicy');
  pod.ignoreDefaults({
    dnsPolicy: 'ClusterFirst',
    schedulerName: 'default-scheduler',
    securityContext: {},
    terminationGracePeriodSeconds: 30,
  });
  const tasks: ContainerTask[] = [];
  for (const container of pod.list('initContainers')) {
    if (container.peek('restartPolicy') === 'Always') {
      container.warn('A sidecar: it is left out with all that it says.');
      leaveOut(container);
    } else
      tasks.push(
        containerTask(
          container,
          tasks.slice(-1).map(({ task }) => task.taskId),
          retries,
        ),
      );
  }
  if (tasks.length > 0)
    pod.warn('They become tasks of their own, which share no files with the main one.', 'initContainers');
  const [main, ...others] = pod.list('containers');
  if (!main) pod.warn('There is no container.', 'containers');
  else
    tasks.push(
      containerTask(
        main,
        tasks.slice(-1).map(({ task }) => task.taskId),
        retries,
      ),
    );
  for (const container of others) {
    container.warn('A second container beside the first: it is left out with all that it says.');
    leaveOut(container);
  }
  return tasks;
}

/** One finding says it all. */
const leaveOut = (container: Fields): void => container.ignore(...container.names());
