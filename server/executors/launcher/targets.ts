/** From a dispatch to what stands for it on its cluster. */
import { findAdminVersions } from '#db/queries/author-role.ts';
import type { Launch } from '#db/queries/launches.ts';
import type { ResourceTaskSpec, TaskSpec } from '#sdk/dag-spec.ts';
import type { PodResult } from '#sdk/kubernetes-spec.ts';
import type { Dispatch } from '#sdk/protocol.ts';
import { parseDispatchId } from '#db/engine/dispatch-id.ts';
import { createRender, renderMapName } from '../../operators/prepare-launch.ts';
import { createMask } from '../../runner/mask.ts';
import { createRenderedFields, type RenderedFieldsLog } from '../../runner/rendered-fields.ts';
import { isTemplate, TemplateError } from '../../operators/render-template.ts';
import type { Render } from '../../operators/launch.ts';
import { ANNOTATIONS } from '../kubernetes/labels.ts';
import type { RenderedPod } from '../kubernetes/pod-fields.ts';
import { BASE_CONTAINER } from '../kubernetes/pod-fields.ts';
import { buildPod, type PodInput, type Refusal } from '../kubernetes/pod-spec.ts';
import { isRunnerTask, renderPod, renderResource } from '../kubernetes/render-pod.ts';
import { buildResource } from '../kubernetes/resource-spec.ts';
import type { ClusterLauncherDeps } from './cluster-launcher.ts';
import { POD_API, podRemains, podTarget } from './pod-target.ts';
import { resourceRemains, resourceTarget } from './resource-target.ts';
import { LaunchRefused, type Target, type TargetLimits } from './target.ts';
import type { Objects } from './watch-objects.ts';

export interface Targets {
  /** @throws LaunchRefused */
  of(dispatch: Dispatch): Promise<Target>;
  remains(launch: Launch): Target;
}

export interface TargetsDeps extends ClusterLauncherDeps {
  objects: Pick<Objects, 'follow'>;
}

export function createTargets(deps: TargetsDeps): Targets {
  const { client, db } = deps;
  /** Once it is so, it stays so. */
  const ofAdmins = new Set<number>();
  const isOfAdmin = async ({ versionId }: Dispatch): Promise<boolean> => {
    const id = Number(versionId);
    if (!ofAdmins.has(id)) for (const found of await findAdminVersions(db, [id])) ofAdmins.add(found);
    return ofAdmins.has(id);
  };
  return {
    async of(dispatch) {
      const rendered = createRenderedFields(createMask(dispatch.secrets));
      const render = createRender(dispatch);
      const heard: Render = (field, template) => {
        const text = render(field, template);
        if (isTemplate(template)) rendered.add(field, text);
        return text;
      };
      const heardOf = { render: heard, rendered, authorIsAdmin: await isOfAdmin(dispatch) };
      if (dispatch.task.kind === 'resource') return targetOfResource(deps, dispatch, dispatch.task, heardOf);
      return targetOfPod(deps, dispatch, heardOf);
    },
    remains({ api, namespace, name }) {
      if (api === null || api === POD_API) return podRemains(client, namespace ?? '', name ?? '', 'delete');
      return resourceRemains(client, api, namespace ?? '', name ?? '');
    },
  };
}

interface Heard {
  render: Render;
  /** Without secrets: for people. */
  rendered: RenderedFieldsLog;
  authorIsAdmin: boolean;
}

function targetOfPod(deps: TargetsDeps, dispatch: Dispatch, { render, rendered, authorIsAdmin }: Heard): Target {
  const { task } = dispatch;
  const fields = rendering(() => renderPod(dispatch, render));
  const isRunner = isRunnerTask(task);
  const collector = collectorOf(deps, fields.result);
  const built = buildPod({
    dispatch,
    task: fields,
    limits: { executionTimeout: task.executionTimeout, memoryLimit: task.memoryLimit },
    cluster: deps.record,
    installation: deps.installation,
    authorIsAdmin,
    runner: isRunner ? { url: serviceUrlOf(deps) } : null,
    collector,
  });
  if ('refused' in built) throw refusal('Pod', built.refused);
  const { pod } = built;
  const { metadata } = pod;
  return podTarget({
    client: deps.client,
    kind: isRunner ? 'runner' : 'pod',
    pod: {
      ...pod,
      metadata: { ...metadata, annotations: { ...metadata?.annotations, [ANNOTATIONS.onFinish]: fields.onFinish } },
    },
    uuid: parseDispatchId(dispatch.dispatchId)?.uuid ?? '',
    onFinish: fields.onFinish,
    limits: limitsOf(task, fields),
    containers: isRunner ? null : logContainers(task),
    skipOnExitCode: task.kind === 'pod' ? task.skipOnExitCode : [],
    result: collector ? 'collected' : fields.result === null ? 'none' : 'message',
    rendered: rendered.all(),
    mapName: mapNameOf(dispatch),
  });
}

/** What brings the result of a Pod, where its task wants that. */
function collectorOf(deps: TargetsDeps, result: PodResult | null): PodInput['collector'] {
  if (result === null || result === 'termination' || !result.collect) return null;
  const { name, runner_image: image } = deps.record;
  if (image === null)
    throw new LaunchRefused(
      'start_failed',
      `Cluster "${name}" has no image that brings the result of a Pod: set its runnerImage.`,
    );
  return { file: result.file, image, url: serviceUrlOf(deps) };
}

/** Where Pods find the API. */
function serviceUrlOf({ record, serviceUrl }: TargetsDeps): string {
  const url = record.service_url ?? serviceUrl;
  if (url !== null) return url;
  throw new LaunchRefused(
    'start_failed',
    `Nobody says how Pods of cluster "${record.name}" reach the API: set its serviceUrl, or MILLRACE_PUBLIC_URL.`,
  );
}

function targetOfResource(
  deps: TargetsDeps,
  dispatch: Dispatch,
  task: ResourceTaskSpec,
  { render, rendered, authorIsAdmin }: Heard,
): Target {
  const fields = rendering(() => renderResource(task, render));
  const { record: cluster, installation, client } = deps;
  const { onFinish } = task;
  const built = buildResource({ dispatch, task: { ...fields, onFinish }, cluster, installation, authorIsAdmin });
  if ('refused' in built) throw refusal('object', built.refused);
  const { object, logs } = built;
  deps.objects.follow(object.apiVersion ?? '', object.kind ?? '', object.metadata?.namespace ?? '');
  const uuid = parseDispatchId(dispatch.dispatchId)?.uuid ?? '';
  const shown = { rendered: rendered.all(), mapName: mapNameOf(dispatch) };
  return resourceTarget({ client, object, uuid, task, logs, ...shown });
}

const refusal = (what: string, refused: readonly Refusal[]): LaunchRefused =>
  new LaunchRefused(
    'rejected_by_policy',
    `Its ${what} is not allowed: ${refused.map(({ path, message }) => `${path}: ${message}`).join(' ')}`,
  );

function rendering<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof TemplateError) throw new LaunchRefused('template_error', error.message, { cause: error });
    if (error instanceof Error) throw new LaunchRefused('start_failed', error.message, { cause: error });
    throw error;
  }
}

const limitsOf = (
  task: TaskSpec,
  { scheduleTimeout, startupTimeout, terminationGrace }: RenderedPod,
): TargetLimits => ({
  schedule: scheduleTimeout,
  start: startupTimeout,
  // A runner watches over its own time
  run: isRunnerTask(task) ? null : task.executionTimeout,
  grace: terminationGrace,
});

function logContainers(task: TaskSpec): string[] {
  if (task.kind !== 'pod' || task.logs === false) return [];
  return task.logs === true ? [BASE_CONTAINER] : task.logs;
}

const MOST_NAME = 250;

/** Of a mapped instance, for people; one that cannot be rendered is none. */
function mapNameOf(dispatch: Dispatch): string | null {
  try {
    const name = renderMapName(dispatch);
    return name === null ? null : createMask(dispatch.secrets)(name).slice(0, MOST_NAME);
  } catch (error) {
    if (error instanceof TemplateError) return null;
    throw error;
  }
}
