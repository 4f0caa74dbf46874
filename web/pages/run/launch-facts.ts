import type { FragmentOf } from '../../graphql/graphql.ts';
import type { LaunchFields } from '../../graphql/documents/runs.ts';

export type Launch = FragmentOf<typeof LaunchFields>;

export type StepName = 'created' | 'scheduled' | 'started' | 'finished';
/** One stage of an object on its cluster. Milliseconds. */
export interface LaunchStep {
  name: StepName;
  /** Null: not yet, or not known. */
  at: number | null;
  /** Since the stage before that is known. */
  tookMs: number | null;
}

const time = (at: string | null): number | null => (at === null ? null : Date.parse(at));

export function launchSteps(
  launch: Pick<Launch, 'createdAt' | 'scheduledAt' | 'startedAt' | 'finishedAt'>,
): LaunchStep[] {
  let before: number | null = null;
  const step = (name: StepName, text: string | null): LaunchStep => {
    const at = time(text);
    const tookMs = at === null || before === null ? null : Math.max(0, at - before);
    before = at ?? before;
    return { name, at, tookMs };
  };
  return [
    step('created', launch.createdAt),
    step('scheduled', launch.scheduledAt),
    step('started', launch.startedAt),
    step('finished', launch.finishedAt),
  ];
}

/** What a person with access to the cluster would ask of it; none where the object is not known. */
export function kubectlCommands({
  kind,
  api,
  namespace,
  name,
  startedAt,
}: Pick<Launch, 'kind' | 'api' | 'namespace' | 'name' | 'startedAt'>): string[] {
  if (namespace === null || name === null) return [];
  const isPod = kind === 'POD' || kind === 'RUNNER';
  const type = isPod ? 'pod' : typeOf(api);
  if (type === null) return [];
  const where = `--namespace ${namespace}`;
  return [
    `kubectl describe ${type}/${name} ${where}`,
    ...(isPod && startedAt !== null ? [`kubectl logs ${name} --container base ${where}`] : []),
  ];
}

/** `batch/v1 Job` as kubectl names it: `job.v1.batch`. */
function typeOf(api: string | null): string | null {
  const [apiVersion = '', kind] = api?.split(' ') ?? [];
  if (kind === undefined) return null;
  const [group, version] = apiVersion.split('/');
  return version === undefined ? kind.toLowerCase() : `${kind.toLowerCase()}.${version}.${group}`;
}

/** Something that the cluster wrote down. */
export interface ClusterEvent {
  isWarning: boolean;
  reason: string;
  message: string;
  count: number;
  at: string | null;
}

/** What can be read of them; they are JSON of whatever age. */
export function clusterEvents(events: Launch['events']): ClusterEvent[] {
  const text = (value: unknown) => (typeof value === 'string' ? value : '');
  return events.flatMap((event) => {
    if (typeof event !== 'object' || event === null || Array.isArray(event)) return [];
    const { type, reason, message, count, lastAt, firstAt } = event as { [field: string]: unknown };
    return [
      {
        isWarning: type === 'Warning',
        reason: text(reason),
        message: text(message),
        count: typeof count === 'number' ? count : 1,
        at: text(lastAt) || text(firstAt) || null,
      },
    ];
  });
}
