/** Types of what DAG authors write for tasks on a Kubernetes cluster. */
import type {
  DNS_POLICIES,
  ExecutorName,
  FinishAction,
  ImagePullPolicy,
  PodTemplate,
  ResourceCondition,
} from './kubernetes-spec.ts';
import type {
  Affinity,
  Container,
  ContainerPort,
  HostAlias,
  PodDNSConfig,
  PodSecurityContext,
  SecurityContext,
  Toleration,
  Volume,
  VolumeMount,
} from './kubernetes-types.generated.ts';
import type { EachOf } from './lists.ts';
import type { Json } from './protocol.ts';
import type { Duration, Inputs, TaskOptions, TaskRef } from './task-types.ts';

/** A templated text, or where the cluster takes the value from. */
export type EnvOption =
  | string
  | { secret: string; key: string; optional?: boolean }
  | { configMap: string; key: string; optional?: boolean }
  /** A field of the Pod: `status.podIP`. */
  | { field: string }
  /** `limits.memory` */
  | { resource: string };

/** `{ cpu: '500m', memory: '1Gi', 'nvidia.com/gpu': 1 }` */
type Quantities = { readonly [name: string]: string | number };

/** The Pod of a task, whatever runs in it. Objects of Kubernetes are written as Kubernetes has them. */
export interface PodOptions {
  /** Name of a cluster that the service knows; `default` when not given. */
  cluster?: string;
  /** Templated; the cluster's first when not given. */
  namespace?: string | null;
  /** Templated: how the Pod's name begins. */
  name?: string | null;
  /** Templated. */
  image?: string | null;
  /** Environment variables; inputs of the task are further ones. */
  env?: { readonly [name: string]: EnvOption };
  /** All entries of Secrets and ConfigMaps as variables. */
  envFrom?: readonly (
    { secret: string; prefix?: string; optional?: boolean } | { configMap: string; prefix?: string; optional?: boolean }
  )[];
  ports?: readonly (number | ContainerPort)[];
  volumes?: readonly Volume[];
  volumeMounts?: readonly VolumeMount[];
  /** Templated quantities. */
  resources?: { requests?: Quantities; limits?: Quantities };
  nodeSelector?: { readonly [label: string]: string };
  affinity?: Affinity | null;
  tolerations?: readonly Toleration[];
  serviceAccount?: string | null;
  /** Names of Secrets. */
  imagePullSecrets?: string | readonly string[];
  imagePullPolicy?: ImagePullPolicy | null;
  priorityClass?: string | null;
  schedulerName?: string | null;
  labels?: { readonly [name: string]: string };
  annotations?: { readonly [name: string]: string };
  /** Of the task's own container, called `base`. */
  securityContext?: SecurityContext | null;
  podSecurityContext?: PodSecurityContext | null;
  initContainers?: readonly Container[];
  /** Containers beside the task's own; they end when it ends. */
  sidecars?: readonly Container[];
  hostAliases?: readonly HostAlias[];
  dnsPolicy?: (typeof DNS_POLICIES)[number] | null;
  dnsConfig?: PodDNSConfig | null;
  runtimeClass?: string | null;
  /** A Pod, whole or in part, that the options here are merged into. The task's container is called `base`. */
  template?: PodTemplate | null;
  /** Between the request to stop and the kill; 30 s when not given. */
  terminationGrace?: Duration;
  /** Until a node is found; without it a Pod waits for ever. */
  scheduleTimeout?: Duration | null;
  /** From the node to the start of the container; ten minutes when not given. */
  startupTimeout?: Duration;
  /** `delete` when not given. */
  onFinish?: FinishAction;
}

/** Where the code of a task runs. */
export interface ExecutorOptions {
  /** `worker` when not given; `kubernetes`: in a Pod of its own. */
  executor?: ExecutorName | null;
  /** With the executor `kubernetes`: its Pod. What a task says is merged with what its groups and its DAG say. */
  pod?: PodOptions | null;
}
/** Options of a task with code. */
export interface CodeOptions extends TaskOptions, ExecutorOptions {}

export interface PodTaskOptions extends TaskOptions, PodOptions {
  /** Instead of what the image starts. Templated. */
  command?: string | readonly string[] | null;
  /** Templated. */
  args?: string | readonly string[] | null;
  /** Results of other tasks, given as environment variables: strings as they are, the rest as JSON. */
  inputs?: Inputs | EachOf;
  /** Whose output is the log: the task's container (true, the default), nobody's, or the containers named. */
  logs?: boolean | readonly string[];
  /**
   * Where the container writes its result, of at most 4095 bytes: its termination message, or a file. With `collect` it is as large
   * as any other: a container beside it brings the file, whose folder is then an empty volume of the Pod.
   */
  result?: 'termination' | { file: string; collect?: boolean } | null;
  /** The task is skipped when the container exits with one of them. */
  skipOnExitCode?: number | readonly number[];
}

export interface ResourceOptions extends TaskOptions {
  cluster?: string;
  /** Templated; the manifest's or the cluster's first when not given. */
  namespace?: string | null;
  /** Any object, templated in every text; a text that is one `{{ … | tojson }}` alone becomes the value. */
  manifest: { apiVersion: string; kind: string; [field: string]: Json };
  inputs?: Inputs | EachOf;
  /** Any of them: it has succeeded. Known for Job, SparkApplication, FlinkDeployment, PyTorchJob, Workflow and others. */
  success?: readonly ResourceCondition[];
  failure?: readonly ResourceCondition[];
  /** Label selector of the Pods whose output is the log. */
  logs?: string | null;
  onFinish?: FinishAction;
  startupTimeout?: Duration;
  /** Path of the result in the object: `'$.status.result'`. */
  result?: string | null;
}

export interface KubernetesBuilder {
  /** Any image, in a Pod of a Kubernetes cluster. */
  pod(taskId: string, options: PodTaskOptions & { result?: null }): TaskRef<null>;
  pod<Out = Json>(taskId: string, options: PodTaskOptions): TaskRef<Out>;
  /** Any object of a Kubernetes cluster: created, and waited for. */
  resource<Out = Json>(taskId: string, options: ResourceOptions): TaskRef<Out>;
}
