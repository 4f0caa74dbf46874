/** A CronJob of Kubernetes as a DAG. Pure: what could not be carried over is told. */
import type { DagSpecInput, TaskSpecInput } from '#sdk/dag-spec.ts';
import { podTasks } from './pod-task.ts';
import { createFields, isPlain, type Fields, type Finding, type Plain } from './manifest-fields.ts';

export interface ImportedDag {
  spec: DagSpecInput;
  findings: Finding[];
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
  const { namespace, ...metadata } = readMetadata(root.object('metadata'));
  const cron = root.object('spec');
  const timing = readTiming(cron);
  const template = cron.object('jobTemplate');
  template.ignore('metadata');
  const job = readJob(template.object('spec'), namespace);
  root.finish();
  const spec: DagSpecInput = {
    ...metadata,
    ...timing,
    ...(job.deadline !== null && { dagrunTimeout: job.deadline }),
    tasks: job.tasks,
  };
  return { spec, findings };
}

interface Metadata {
  dagId: string;
  description: string;
  tags?: string[];
  namespace: string | null;
}

function readMetadata(metadata: Fields): Metadata {
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
    namespace,
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
  tasks: TaskSpecInput[];
}

function readJob(job: Fields, namespace: string | null): Job {
  const retries = job.number('backoffLimit') ?? DEFAULT_BACKOFF_LIMIT;
  const deadline = job.number('activeDeadlineSeconds');
  job.ignoreDefaults({
    completions: 1,
    parallelism: 1,
    completionMode: 'NonIndexed',
    suspend: false,
    manualSelector: false,
    podReplacementPolicy: 'TerminatingOrFailed',
  });
  for (const name of ['completions', 'parallelism'])
    if (job.take(name) !== undefined)
      job.warn('Left out: the task is one Pod. Map it over a list, or make it a resource task with this Job.', name);
  if (job.take('ttlSecondsAfterFinished') !== undefined)
    job.warn('Left out: a Pod goes when its task has ended, the run is kept.', 'ttlSecondsAfterFinished');
  const template = job.object('template');
  const podDeadline = deadlineOfPod(template);
  const shortest = [deadline, podDeadline].filter((seconds) => seconds !== null);
  const timeout = shortest.length > 0 ? Math.min(...shortest) : null;
  return { deadline, tasks: podTasks(template, namespace, { retries, timeout }) };
}

/** It is the time limit of a try; the Pod gets its own by that. */
function deadlineOfPod(template: Fields): number | null {
  const spec = template.peek('spec');
  const seconds = isPlain(spec) ? spec['activeDeadlineSeconds'] : undefined;
  return typeof seconds === 'number' ? seconds : null;
}
