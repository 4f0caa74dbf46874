import { describe, expect, it } from 'vitest';
import type { KubePod } from '#server/executors/kubernetes/kube-types.ts';
import type { ObjectEvent } from '#server/executors/kubernetes/pod-events.ts';
import { observeGone, observePod } from '#server/executors/kubernetes/pod-outcome.ts';

const T0 = Date.parse('2026-03-01T10:00:00Z');
const at = (seconds: number) => new Date(T0 + seconds * 1000).toISOString().replace('.000Z', 'Z');
const EPOCH = '1970-01-01T00:00:00Z';

interface Shape {
  spec?: object;
  metadata?: object;
  status?: object;
  /** State of the container `base`. */
  base?: object;
  init?: { name: string; state: object; started?: boolean }[];
  sidecar?: object;
}

const container = (name: string, state: object, more: object = {}) => ({
  name,
  image: 'registry.example/job:1',
  imageID: '',
  ready: false,
  restartCount: 0,
  state,
  ...more,
});
const SCHEDULED = { type: 'PodScheduled', status: 'True', lastTransitionTime: at(1) };

/** A Pod on a node, made at 0 s and scheduled at 1 s. */
function podOf({ spec = {}, metadata = {}, status = {}, base, init, sidecar }: Shape): KubePod {
  const { conditions = [], ...rest } = status as { conditions?: object[] };
  return {
    metadata: { name: 'p', namespace: 'n', uid: 'u', creationTimestamp: at(0), ...metadata },
    spec: {
      nodeName: 'node-1',
      containers: [{ name: 'base', resources: { limits: { memory: '64Mi', cpu: '1' } } }, { name: 'proxy' }],
      ...spec,
    },
    status: {
      phase: 'Pending',
      startTime: at(1),
      conditions: [SCHEDULED, ...conditions],
      ...(base
        ? { containerStatuses: [container('base', base), ...(sidecar ? [container('proxy', sidecar)] : [])] }
        : {}),
      ...(init ? { initContainerStatuses: init.map(({ name, state, ...more }) => container(name, state, more)) } : {}),
      ...rest,
    },
  } as KubePod;
}
const terminated = (exitCode: number, more: object = {}) => ({
  terminated: {
    exitCode,
    reason: exitCode === 0 ? 'Completed' : 'Error',
    startedAt: at(2),
    finishedAt: at(12),
    ...more,
  },
});
const waiting = (reason: string, message?: string) => ({ waiting: { reason, message } });
const RUNNING = { running: { startedAt: at(2) } };
const look = (
  pod: KubePod,
  more: { now?: number; events?: ObjectEvent[]; deletedByUs?: boolean; peakMemory?: number } = {},
) => observePod(pod, { base: 'base', ...more, now: T0 + (more.now ?? 20) * 1000 });
const endOf = (shape: Shape, more: Parameters<typeof look>[1] = {}) => {
  const { phase, end } = look(podOf(shape), more);
  expect(phase).toBe('ended');
  return end!;
};
const event = (type: string, reason: string, message: string): ObjectEvent => ({
  type,
  reason,
  message,
  count: 1,
  firstAt: null,
  lastAt: null,
  source: 'kubelet',
});

describe('a Pod that has not started', () => {
  it('waits for the scheduler, and says why none of the nodes will do', () => {
    const fresh = podOf({ spec: { nodeName: undefined }, status: { conditions: [] } });
    fresh.status!.conditions = [];
    expect(look(fresh)).toMatchObject({ phase: 'pending', reason: null, fatal: null, node: null, scheduledAt: null });
    const message = '0/1 nodes are available: 1 Insufficient memory.';
    fresh.status!.conditions = [
      { type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message, lastTransitionTime: at(1) } as never,
    ];
    expect(look(fresh, { now: 86_400 })).toMatchObject({
      phase: 'pending',
      reason: 'Unschedulable',
      message,
      fatal: null,
    });
  });

  it('is scheduled before its node has said anything', () => {
    expect(look(podOf({}))).toMatchObject({
      phase: 'scheduled',
      node: 'node-1',
      scheduledAt: at(1),
      message: 'Waits for its node.',
      everStarted: false,
    });
    expect(look(podOf({ base: waiting('ContainerCreating') }))).toMatchObject({
      phase: 'scheduled',
      reason: 'ContainerCreating',
      fatal: null,
    });
  });

  it('says what goes wrong on the node while the container is being made', () => {
    const events = [
      event('Normal', 'Scheduled', 'ok'),
      event('Warning', 'FailedMount', 'MountVolume.SetUp failed for volume "s": secret "s" not found'),
    ];
    expect(look(podOf({ base: waiting('ContainerCreating') }), { events, now: 9999 })).toMatchObject({
      reason: 'FailedMount',
      message: expect.stringContaining('secret "s" not found'),
      fatal: null,
    });
  });

  it.each([
    ['InvalidImageName', 2, 'image_pull', false],
    ['ErrImageNeverPull', 61, 'image_pull', true],
    ['CreateContainerConfigError', 61, 'config_error', true],
    ['ImagePullBackOff', 301, 'image_pull', true],
    ['ErrImagePull', 301, 'image_pull', true],
    ['CreateContainerError', 301, 'config_error', true],
  ] as const)('%s is final after its time', (reason, seconds, cause, retryable) => {
    const pod = podOf({ base: waiting(reason, 'because') });
    if (seconds > 2) expect(look(pod, { now: seconds - 1 }).fatal).toBeNull();
    expect(look(pod, { now: seconds })).toMatchObject({
      phase: 'scheduled',
      reason,
      fatal: { cause, retryable, message: `${reason}: Container base, image registry.example/job:1: because` },
    });
  });

  it("tells the registry's words, also while it backs off", () => {
    const said = 'Failed to pull image "registry.example/job:1": rpc error: code = NotFound: not found';
    const events = [event('Warning', 'Failed', said), event('Warning', 'Failed', 'Error: ImagePullBackOff')];
    const backing = podOf({ base: waiting('ImagePullBackOff', 'Back-off pulling image "registry.example/job:1"') });
    expect(look(backing, { events }).message).toContain('code = NotFound');
    const pulling = podOf({ base: waiting('ErrImagePull', 'rpc error: code = Unknown desc = unauthorized') });
    expect(look(pulling, { events }).message).toContain('unauthorized');
  });

  it('waits for its init containers, whose errors are its own', () => {
    const base = waiting('PodInitializing');
    expect(look(podOf({ base, init: [{ name: 'load', state: RUNNING }] }))).toMatchObject({
      phase: 'scheduled',
      reason: 'PodInitializing',
      message: 'Init container load runs.',
    });
    const done = { name: 'load', state: terminated(0) };
    const stuck = { name: 'unpack', state: waiting('ErrImagePull', 'no such image') };
    const pod = podOf({ base, init: [done, stuck] });
    expect(look(pod, { now: 302 })).toMatchObject({ reason: 'ErrImagePull', fatal: null });
    // The wait for the second began when the first was done, at 12 s.
    expect(look(pod, { now: 312 }).fatal).toMatchObject({ cause: 'image_pull' });
    const sidecar = { name: 'mesh', state: RUNNING, started: true };
    const withSidecar = podOf({
      base: waiting('ErrImagePull', 'no'),
      init: [sidecar],
      spec: { initContainers: [{ name: 'mesh', restartPolicy: 'Always' }] },
    });
    expect(look(withSidecar)).toMatchObject({ reason: 'ErrImagePull', message: expect.stringContaining('base') });
  });
});

describe('a Pod that runs', () => {
  it('has started when its container has, whatever the phase of the Pod', () => {
    expect(look(podOf({ base: RUNNING, status: { phase: 'Running' } }))).toMatchObject({
      phase: 'started',
      startedAt: at(2),
      everStarted: true,
      reason: null,
      end: null,
      terminating: false,
    });
    const sidecarFirst = podOf({ base: waiting('ErrImagePull', 'no'), sidecar: RUNNING, status: { phase: 'Running' } });
    expect(look(sidecarFirst)).toMatchObject({ phase: 'scheduled', reason: 'ErrImagePull', everStarted: false });
  });

  it('is not over because its node is silent', () => {
    const silent = podOf({
      base: RUNNING,
      status: { phase: 'Running', reason: 'NodeLost', message: 'Node x is gone' },
    });
    expect(look(silent)).toMatchObject({ phase: 'started', reason: 'NodeLost', message: 'Node x is gone', end: null });
    expect(look(podOf({ status: { phase: 'Unknown' } }))).toMatchObject({ reason: 'NodeLost', end: null });
  });

  it('is told to end by somebody', () => {
    const metadata = { deletionTimestamp: at(40), deletionGracePeriodSeconds: 30 };
    expect(look(podOf({ base: RUNNING, metadata }))).toMatchObject({ phase: 'started', terminating: true, end: null });
  });
});

describe('how a Pod ended', () => {
  it('well, with what it left as its result', () => {
    expect(endOf({ base: terminated(0, { message: '{"rows": 3}' }), status: { phase: 'Succeeded' } })).toMatchObject({
      outcome: 'success',
      cause: 'ok',
      exitCode: 0,
      message: '',
      terminationMessage: '{"rows": 3}',
      free: false,
    });
    const observed = look(podOf({ base: terminated(0) }));
    expect(observed).toMatchObject({ startedAt: at(2), finishedAt: at(12), everStarted: true });
  });

  it('when its container did, though a sidecar still runs', () => {
    expect(endOf({ base: terminated(0), sidecar: RUNNING, status: { phase: 'Running' } }).outcome).toBe('success');
    expect(endOf({ base: terminated(0), sidecar: terminated(1), status: { phase: 'Failed' } }).outcome).toBe('success');
    expect(look(podOf({ base: RUNNING, sidecar: terminated(0) })).phase).toBe('started');
  });

  it.each([
    [3, undefined, 'Exit code 3.'],
    [1, 'no such table\n', 'Exit code 1: no such table'],
    [137, undefined, 'Exit code 137 (SIGKILL).'],
    [139, undefined, 'Exit code 139 (SIGSEGV).'],
  ])('exit code %s', (code, said, message) => {
    expect(endOf({ base: terminated(code, { message: said }), status: { phase: 'Failed' } })).toMatchObject({
      outcome: 'failed',
      cause: 'exit_code',
      exitCode: code,
      message,
      free: false,
    });
  });

  it('for want of memory, with the limit and the peak', () => {
    const killed = { base: terminated(137, { reason: 'OOMKilled' }), status: { phase: 'Failed' } };
    expect(endOf(killed, { peakMemory: 66 * 1024 * 1024 })).toMatchObject({
      cause: 'oom_killed',
      message: 'Needed more memory than its limit of 64 MiB (66 MiB seen).',
      evidence: { memoryLimit: 64 * 1024 * 1024, limits: { memory: '64Mi', cpu: '1' }, node: 'node-1' },
    });
    const unlimited = { ...killed, spec: { containers: [{ name: 'base' }] } };
    expect(endOf(unlimited).message).toBe('Killed: the node ran out of memory.');
  });

  it('for want of memory though the shell outlived its child and said 0', () => {
    const shell = { base: terminated(0, { reason: 'OOMKilled' }), status: { phase: 'Succeeded' } };
    expect(endOf(shell)).toMatchObject({ outcome: 'failed', cause: 'oom_killed', exitCode: 0 });
  });

  it('probably for want of memory, when it was killed near its limit', () => {
    const killed = { base: terminated(137), status: { phase: 'Failed' } };
    expect(endOf(killed, { peakMemory: 62 * 1024 * 1024 })).toMatchObject({ cause: 'oom_suspected' });
    expect(endOf(killed, { peakMemory: 40 * 1024 * 1024 })).toMatchObject({ cause: 'exit_code' });
    expect(endOf({ ...killed, base: terminated(1) }, { peakMemory: 64 * 1024 * 1024 })).toMatchObject({
      cause: 'exit_code',
    });
  });

  it.each([
    ['PreemptionByScheduler', 'preempted'],
    ['PreemptionByKubeScheduler', 'preempted'],
    ['DeletionByTaintManager', 'node_lost'],
    ['DeletionByPodGC', 'node_lost'],
    ['EvictionByEvictionAPI', 'evicted'],
    ['TerminationByKubelet', 'evicted'],
  ])('disrupted by %s', (reason, cause) => {
    const condition = {
      type: 'DisruptionTarget',
      status: 'True',
      reason,
      message: 'the words',
      lastTransitionTime: at(11),
    };
    const metadata = { deletionTimestamp: at(41), deletionGracePeriodSeconds: 30 };
    const ended = endOf({ base: terminated(143), metadata, status: { phase: 'Failed', conditions: [condition] } });
    expect(ended).toMatchObject({ cause, exitCode: 143, free: false, message: expect.stringContaining('the words') });
    expect(ended.evidence['conditions']).toContainEqual({
      type: 'DisruptionTarget',
      status: 'True',
      reason,
      message: 'the words',
    });
    const early = endOf({ status: { phase: 'Failed', conditions: [condition] }, base: waiting('ContainerCreating') });
    expect(early).toMatchObject({ cause, exitCode: null, free: true });
  });

  it('by itself, though it was disrupted or deleted afterwards', () => {
    const late = {
      type: 'DisruptionTarget',
      status: 'True',
      reason: 'EvictionByEvictionAPI',
      lastTransitionTime: at(60),
    };
    const metadata = { deletionTimestamp: at(90), deletionGracePeriodSeconds: 30 };
    expect(endOf({ base: terminated(1), metadata, status: { phase: 'Failed', conditions: [late] } }).cause).toBe(
      'exit_code',
    );
  });

  it('evicted as a whole', () => {
    const status = { phase: 'Failed', reason: 'Evicted', message: 'The node was low on resource: memory.' };
    expect(endOf({ status })).toMatchObject({
      cause: 'evicted',
      message: 'Evicted from its node: The node was low on resource: memory.',
      free: true,
      evidence: { reason: 'Evicted' },
    });
    expect(endOf({ status, base: terminated(137) })).toMatchObject({ cause: 'evicted', free: false, exitCode: 137 });
  });

  it.each([
    ['Preempting', 'preempted'],
    ['NodeLost', 'node_lost'],
    ['Shutdown', 'evicted'],
    ['OutOfmemory', 'start_failed'],
    ['UnexpectedAdmissionError', 'start_failed'],
  ])('failed as a whole by %s', (reason, cause) => {
    expect(endOf({ status: { phase: 'Failed', reason, message: 'why' } })).toMatchObject({ cause, free: true });
  });

  it('at the deadline of the Pod, but not when it had ended before', () => {
    const late = { spec: { activeDeadlineSeconds: 11, containers: [{ name: 'base' }] } };
    const status = { phase: 'Failed', reason: 'DeadlineExceeded', message: 'Pod was active on the node too long' };
    expect(endOf({ ...late, status, base: terminated(137) })).toMatchObject({
      cause: 'timeout',
      message: 'Ran longer than the deadline of its Pod: activeDeadlineSeconds is 11.',
    });
    expect(endOf({ ...late, status, base: RUNNING })).toMatchObject({ cause: 'timeout', exitCode: null });
    const long = { spec: { activeDeadlineSeconds: 600, containers: [{ name: 'base' }] } };
    expect(endOf({ ...long, status, base: terminated(1) })).toMatchObject({ cause: 'exit_code' });
  });

  it('deleted by somebody else', () => {
    const metadata = { deletionTimestamp: at(10), deletionGracePeriodSeconds: 1 };
    const shape = { base: terminated(137), metadata, status: { phase: 'Failed' } };
    expect(endOf(shape)).toMatchObject({ cause: 'pod_deleted', exitCode: 137, free: false });
    expect(endOf(shape, { deletedByUs: true })).toMatchObject({ cause: 'exit_code' });
    // It took the signal and finished its work.
    expect(endOf({ ...shape, base: terminated(0) })).toMatchObject({ outcome: 'success' });
  });

  it('without having started: a program that is not there', () => {
    const state = terminated(128, {
      reason: 'StartError',
      startedAt: EPOCH,
      message: 'failed to create containerd task: exec: "pyton": executable file not found in $PATH',
    });
    expect(endOf({ base: state, status: { phase: 'Failed' } })).toMatchObject({
      cause: 'config_error',
      exitCode: null,
      free: false,
      message: expect.stringContaining('"pyton": executable file not found'),
    });
    expect(look(podOf({ base: state })).everStarted).toBe(false);
  });

  it('in an init container', () => {
    const init = [{ name: 'load', state: terminated(7, { message: 'no route to host' }) }];
    expect(endOf({ init, base: waiting('PodInitializing'), status: { phase: 'Failed' } })).toMatchObject({
      cause: 'init_failed',
      exitCode: null,
      free: false,
      message: 'Init container load failed. Exit code 7: no route to host',
    });
  });

  it('with a node that forgot it: its code may have run', () => {
    const state = {
      terminated: { exitCode: 137, reason: 'ContainerStatusUnknown', startedAt: null, finishedAt: null },
    };
    expect(endOf({ base: state, status: { phase: 'Failed' } })).toMatchObject({ cause: 'node_lost', free: false });
  });

  it('for a reason nobody knows', () => {
    expect(endOf({ status: { phase: 'Failed' } })).toMatchObject({ cause: 'start_failed', free: true });
    expect(endOf({ status: { phase: 'Succeeded' } })).toMatchObject({ outcome: 'success', exitCode: null });
  });
});

describe('a Pod that is no more', () => {
  const gone = (shape: Shape | null, deletedByUs = false) =>
    observeGone(shape && podOf(shape), { base: 'base', deletedByUs });

  it('ended as it was seen to end', () => {
    expect(gone({ base: terminated(4), status: { phase: 'Failed' } })).toMatchObject({
      cause: 'exit_code',
      exitCode: 4,
    });
  });

  it('was deleted by somebody, for free before it started', () => {
    expect(gone({ base: RUNNING })).toMatchObject({ cause: 'pod_deleted', free: false, exitCode: null });
    expect(gone({ base: waiting('ContainerCreating') })).toMatchObject({ cause: 'pod_deleted', free: true });
    expect(gone(null)).toMatchObject({ cause: 'pod_deleted', free: false, evidence: {} });
    expect(gone({ base: RUNNING }, true).message).toBe('The Pod was deleted.');
  });

  it('was disrupted', () => {
    const condition = {
      type: 'DisruptionTarget',
      status: 'True',
      reason: 'DeletionByTaintManager',
      lastTransitionTime: at(11),
    };
    expect(gone({ base: RUNNING, status: { conditions: [condition] } })).toMatchObject({
      cause: 'node_lost',
      free: false,
    });
  });
});

describe('other shapes of Pods', () => {
  it('takes the only container when none has the name', () => {
    const pod = podOf({ base: terminated(0) });
    expect(observePod(pod, { base: 'main', now: T0 }).end?.outcome).toBe('success');
  });

  it.each([{}, { metadata: {} }, { status: {} }, { status: { containerStatuses: [] } }, { spec: {} }])(
    'reads %j without a word',
    (pod) => {
      expect(observePod(pod as KubePod, { base: 'base', now: T0 })).toMatchObject({ phase: 'pending', end: null });
    },
  );
});
