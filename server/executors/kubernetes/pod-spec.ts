/**
 * The Pod of a dispatch. What the cluster presets is overwritten by the task's template, that by the task's fields, and that by what
 * must be so. Then the whole is checked, and refused with the path of what must not be. Pure.
 */
import type { V1Pod } from '@kubernetes/client-node';
import type { ClusterRecord } from '#db/queries/clusters.ts';
import { checkKubernetes } from '#sdk/kubernetes-check.ts';
import { mergePods, withoutNulls } from '#sdk/kubernetes-merge.ts';
import type { PodTemplate } from '#sdk/kubernetes-spec.ts';
import { authorRefusals } from './author-policy.ts';
import { clusterRefusals } from './cluster-policy.ts';
import { COLLECT_SECONDS, collectorRefusals, withCollector, type CollectedFile } from './collector-container.ts';
import type { KubePod } from './kube-types.ts';
import { BASE_CONTAINER, podOfFields, type RenderedPod } from './pod-fields.ts';
import { annotationsOf, labelsOf, podName, uuidOf, withoutOurs, type Named } from './pod-name.ts';
import { podSecurityRefusals } from './pod-security.ts';
import { withRestrictedDefaults } from './restricted-defaults.ts';
import { withRunner } from './runner-container.ts';

/** What must not be in a Pod, and where it is: `spec.containers[0].securityContext.privileged`. */
export interface Refusal {
  path: string;
  message: string;
}
export type BuiltPod = { pod: V1Pod } | { refused: Refusal[] };

/** What a cluster's settings say about its Pods. */
export type PodCluster = Pick<
  ClusterRecord,
  'name' | 'namespaces' | 'runner_image' | 'pod_security' | 'images' | 'service_accounts' | 'pod_defaults'
>;

export interface PodInput {
  dispatch: Named;
  task: RenderedPod;
  /** Seconds; bytes. As every task may say. */
  limits: { executionTimeout: number | null; memoryLimit: number | null };
  cluster: PodCluster;
  /** Tells this service's Pods from those of others. */
  installation: string;
  /** Whoever deployed the DAG may administer the service: the allow-list for authors does not hold. */
  authorIsAdmin: boolean;
  /** The Pod runs the code of a task: where it finds the API. Null: it is the task. */
  runner: { url: string } | null;
  /** A second container brings the result that its task leaves in a file. Null: none does. */
  collector: (CollectedFile & { url: string }) | null;
}

type Spec = NonNullable<KubePod['spec']>;
type Container = Spec['containers'][number];

export function buildPod(input: PodInput): BuiltPod {
  const { task, cluster } = input;
  const defaults = withoutNulls(cluster.pod_defaults ?? {});
  const written = mergePods(mergePods(defaults, task.template ?? {}), podOfFields(task));
  const merged = withoutNulls(written) as PodTemplate;
  // Of another shape it cannot be gone through
  const refused = [...shapeRefusals(defaults, 'podDefaults', true), ...shapeRefusals(merged, '', true)];
  if (refused.length > 0) return { refused };
  const pod = complete(input, merged as KubePod);
  const { collector } = input;
  if (collector) refused.push(...collectorRefusals(specOf(merged as KubePod), collector.file));
  // What the cluster's own settings come to is not the author's doing
  const trusted = complete({ ...input, task: unsaid(task) }, defaults as KubePod);
  refused.push(
    ...missing(pod, input),
    ...clusterRefusals(pod, cluster),
    ...podSecurityRefusals(pod, cluster.pod_security),
    ...(input.authorIsAdmin ? [] : authorRefusals(pod, trusted)),
  );
  return refused.length > 0 ? { refused: withoutRepeats(refused) } : { pod: pod as unknown as V1Pod };
}

/** The task's Pod as if its author had said nothing. */
const unsaid = (task: RenderedPod): RenderedPod => ({ ...task, template: null, result: null, serviceAccount: null });

/** With all that must be so. */
function complete(input: PodInput, merged: KubePod): KubePod {
  const { dispatch, task, cluster, runner, collector } = input;
  const spec = specOf(merged);
  const running = runner ? withRunner(spec, dispatch, cluster, runner.url) : spec;
  const settled = settle(
    input,
    collector ? withCollector(running, dispatch, cluster, collector.url, collector) : running,
  );
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      ...merged.metadata,
      name: podName(dispatch.dagId, dispatch.taskId, uuidOf(dispatch.dispatchId), task.name),
      namespace: task.namespace ?? merged.metadata?.namespace ?? cluster.namespaces[0] ?? 'default',
      labels: { ...withoutOurs(merged.metadata?.labels), ...labelsOf(dispatch, input.installation) },
      annotations: { ...withoutOurs(merged.metadata?.annotations), ...annotationsOf(dispatch, task.onFinish) },
    },
    spec: cluster.pod_security === 'restricted' ? withRestrictedDefaults(settled) : settled,
  };
}

/** `base` is the first container, for kubectl and for people. */
function specOf({ spec }: KubePod): Spec {
  const containers = spec?.containers ?? [];
  const isBase = ({ name }: Container) => name === BASE_CONTAINER;
  const base = containers.find(isBase) ?? { name: BASE_CONTAINER };
  return { ...spec, containers: [base, ...containers.filter((container) => !isBase(container))] };
}

function settle({ task, limits, collector }: PodInput, spec: Spec): Spec {
  const { serviceAccount, ...rest } = spec;
  const account = spec.serviceAccountName ?? serviceAccount;
  const deadline = deadlineOf(task, { ...limits, after: collector ? COLLECT_SECONDS : 0 }, spec.activeDeadlineSeconds);
  const [base, ...others] = spec.containers;
  return {
    ...rest,
    restartPolicy: 'Never',
    enableServiceLinks: spec.enableServiceLinks ?? false,
    ...(account !== undefined
      ? { serviceAccountName: account }
      : { automountServiceAccountToken: spec.automountServiceAccountToken ?? false }),
    ...(deadline !== null && { activeDeadlineSeconds: deadline }),
    containers: [...(base ? [settleBase(base, task, limits.memoryLimit)] : []), ...others],
  };
}

/**
 * Seconds after which the cluster ends the Pod by itself, should nobody of us be there to do it. The launcher is earlier: it counts
 * from the start of the container. Null: no limit.
 */
function deadlineOf(
  task: RenderedPod,
  { executionTimeout, after }: { executionTimeout: number | null; after: number },
  given: number | undefined,
): number | null {
  const slack = task.startupTimeout + task.terminationGrace + 60 + after;
  const ours = executionTimeout === null ? null : Math.ceil(executionTimeout + slack);
  if (given === undefined) return ours;
  return ours === null ? given : Math.min(given, ours);
}

function settleBase(base: Container, { result }: RenderedPod, memoryLimit: number | null): Container {
  const limits = base.resources?.limits;
  const isMessage = result !== null && (result === 'termination' || !result.collect);
  const isOurs = memoryLimit !== null && limits?.['memory'] === undefined;
  return {
    ...base,
    ...(isOurs && { resources: { ...base.resources, limits: { ...limits, memory: String(memoryLimit) } } }),
    // A result must be what was written; without one the last lines of output say why it failed
    terminationMessagePolicy: isMessage ? 'File' : (base.terminationMessagePolicy ?? 'FallbackToLogsOnError'),
    ...(isMessage && result !== 'termination' && { terminationMessagePath: result.file }),
  };
}

/** Fields that Kubernetes does not know, of another type than it wants, or (unless `partial`) missing. */
function shapeRefusals(pod: object, at: string, partial: boolean): Refusal[] {
  const refused: Refusal[] = [];
  const report = (path: string, message: string) => refused.push({ path: path.replace(/^\./, ''), message });
  checkKubernetes('Pod', pod, at, report, { partial });
  return refused;
}

/** What must be there, and is nowhere. */
function missing(pod: KubePod, { cluster, runner }: PodInput): Refusal[] {
  const refused = shapeRefusals(pod, '', false);
  for (const list of ['containers', 'initContainers'] as const)
    (pod.spec?.[list] ?? []).forEach(({ image }, index) => {
      if (image) return;
      const isRunner = runner !== null && list === 'containers' && index === 0;
      const message = isRunner
        ? `It is to be an image of Millrace: "millrace cluster set ${cluster.name} --runner-image <image>" says which for all tasks, 'image' in the pod of a task for one.`
        : 'Nobody says which image it runs.';
      refused.push({ path: `spec.${list}[${index}].image`, message });
    });
  return refused;
}

function withoutRepeats(refusals: readonly Refusal[]): Refusal[] {
  const byPath = new Map<string, Refusal>();
  for (const refusal of refusals) if (!byPath.has(refusal.path)) byPath.set(refusal.path, refusal);
  return [...byPath.values()];
}
