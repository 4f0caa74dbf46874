/**
 * What tasks that run on a Kubernetes cluster say beyond what every task says. Durations are seconds. Objects of Kubernetes stand
 * here as Kubernetes has them.
 */
import type {
  Affinity,
  Container,
  ContainerPort,
  HostAlias,
  Pod,
  PodDNSConfig,
  PodSecurityContext,
  PodSpec,
  SecurityContext,
  Toleration,
  Volume,
  VolumeMount,
} from './kubernetes-types.generated.ts';
import type { Json } from './protocol.ts';

/** Where a task's code runs; null: as `worker`. */
export const EXECUTORS = ['worker', 'kubernetes'] as const;
export type ExecutorName = (typeof EXECUTORS)[number];

export const IMAGE_PULL_POLICIES = ['Always', 'IfNotPresent', 'Never'] as const;
export type ImagePullPolicy = (typeof IMAGE_PULL_POLICIES)[number];
export const DNS_POLICIES = ['ClusterFirst', 'ClusterFirstWithHostNet', 'Default', 'None'] as const;

/** When what was made for a task is deleted: always, unless the task failed, or never. */
export const FINISH_ACTIONS = ['delete', 'keep_failed', 'keep'] as const;
export type FinishAction = (typeof FINISH_ACTIONS)[number];

/** A templated text, or where the cluster takes the value from. */
export type EnvValue =
  | string
  | { secret: string; key: string; /** Absent rather than an error when it is not there. */ optional: boolean }
  | { configMap: string; key: string; optional: boolean }
  /** A field of the Pod: `status.podIP`. */
  | { field: string }
  /** `limits.memory` */
  | { resource: string };

/** All entries of a Secret or a ConfigMap as variables; exactly one of the two is named. */
export interface EnvFrom {
  secret: string | null;
  configMap: string | null;
  prefix: string | null;
  optional: boolean;
}

/** Templated quantities: `{ cpu: '500m', memory: '1Gi', 'nvidia.com/gpu': '1' }`. */
export interface PodResources {
  requests: { [name: string]: string };
  limits: { [name: string]: string };
}

/** A whole Pod, or any part of one. */
export interface PodTemplate {
  apiVersion?: string;
  kind?: string;
  metadata?: Pod['metadata'];
  spec?: Omit<Partial<PodSpec>, 'containers'> & { containers?: readonly Partial<Container>[] };
}

/** The Pod that a task gets, whatever runs in it. */
export interface KubernetesOptions {
  /** Name of a cluster that the service knows. Not a template. */
  cluster: string;
  /** Templated; null: the cluster's first. */
  namespace: string | null;
  /** Templated: how the Pod's name begins; null: with the ids of DAG and task. */
  name: string | null;
  /** Templated; null: the template's, or of a task with code the cluster's runner image. */
  image: string | null;
  env: { [name: string]: EnvValue };
  envFrom: EnvFrom[];
  ports: ContainerPort[];
  volumes: Volume[];
  volumeMounts: VolumeMount[];
  resources: PodResources;
  nodeSelector: { [label: string]: string };
  affinity: Affinity | null;
  tolerations: Toleration[];
  /** Null: the namespace's default one, and no token of it in the Pod. */
  serviceAccount: string | null;
  /** Names of Secrets. */
  imagePullSecrets: string[];
  imagePullPolicy: ImagePullPolicy | null;
  priorityClass: string | null;
  schedulerName: string | null;
  /** Templated values. */
  labels: { [name: string]: string };
  /** Templated values. */
  annotations: { [name: string]: string };
  /** Of the container `base`. */
  securityContext: SecurityContext | null;
  podSecurityContext: PodSecurityContext | null;
  initContainers: Container[];
  /** Containers beside `base`; they end when it ends. */
  sidecars: Container[];
  hostAliases: HostAlias[];
  dnsPolicy: (typeof DNS_POLICIES)[number] | null;
  dnsConfig: PodDNSConfig | null;
  runtimeClass: string | null;
  /** What the fields above are merged into. */
  template: PodTemplate | null;
  /** Between the request to stop and the kill. */
  terminationGrace: number;
  /** Until a node is found; null: for ever. */
  scheduleTimeout: number | null;
  /** From the node to the start of the container: images, volumes, init containers. */
  startupTimeout: number;
  onFinish: FinishAction;
}

/** Of a task with code that may run on a worker or in a Pod of its own. */
export interface ExecutorFields {
  executor: ExecutorName | null;
  /** Only with the executor `kubernetes`. */
  pod: KubernetesOptions | null;
}

/**
 * A task's result, as JSON or text: what the container wrote to its termination message or to this file, at most 4095 bytes. With
 * `collect` as large as any other result: a second container brings it, and shares the folder of the file.
 */
export type PodResult = 'termination' | { file: string; collect: boolean };

/** Any image as a task. Its truth is how its container `base` ends. */
export interface PodFields extends KubernetesOptions {
  kind: 'pod';
  /** Templated; null: what the image starts. */
  command: string[] | null;
  /** Templated. */
  args: string[] | null;
  /** Whose output is the task's log: `base` alone (true), nobody's, or of these containers. */
  logs: boolean | string[];
  result: PodResult | null;
  /** The try is skipped when the container exits with one of them. */
  skipOnExitCode: number[];
}

/** What must be found at a path in an object. One of `in`, `equals` and `exists`; the path may lead to several values: one is enough. */
export type ResourceCondition = { path: string } & ({ in: Json[] } | { equals: Json } | { exists: boolean });

/** Any object of Kubernetes as a task: it is created, and waited for. */
export interface ResourceFields {
  kind: 'resource';
  cluster: string;
  /** Templated; null: the manifest's, or the cluster's first. */
  namespace: string | null;
  /** The object, templated in every string. A text that is one `{{ … | tojson }}` alone becomes the value. */
  manifest: { [field: string]: Json };
  /** Any of them: it has succeeded. Empty: as is known of its kind. */
  success: ResourceCondition[];
  /** Any of them: it has failed; they are looked at first. */
  failure: ResourceCondition[];
  /** Templated label selector of the Pods whose output is the task's log; null: as is known of its kind. */
  logs: string | null;
  onFinish: FinishAction;
  /** Until the object says that it is at work: a status appears. */
  startupTimeout: number;
  /** Path of the task's result in the object; null: none. */
  result: string | null;
}
