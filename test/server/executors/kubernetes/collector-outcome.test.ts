import { describe, expect, it } from 'vitest';
import { observeCollector } from '#server/executors/kubernetes/collector-outcome.ts';
import type { KubePod } from '#server/executors/kubernetes/kube-types.ts';

const NOW = Date.parse('2026-03-01T10:10:00Z');
const STAYS = { gone: false, overdue: false, now: NOW };

/** A Pod whose task has ended well; `state`: of its collector. */
const podOf = (state: object | null, { status = {}, metadata = {} }: { status?: object; metadata?: object } = {}) =>
  ({
    metadata: { name: 'p', creationTimestamp: '2026-03-01T10:00:00Z', ...metadata },
    spec: { nodeName: 'node-1', containers: [{ name: 'base' }, { name: 'millrace-collector' }] },
    status: {
      phase: 'Running',
      containerStatuses: [
        { name: 'base', image: 'i', state: { terminated: { exitCode: 0, message: 'not this' } } },
        ...(state ? [{ name: 'millrace-collector', image: 'millrace:1', state }] : []),
      ],
      ...status,
    },
  }) as KubePod;
const terminated = (exitCode: number, more: object = {}) => ({
  terminated: { exitCode, reason: exitCode === 0 ? 'Completed' : 'Error', finishedAt: '2026-03-01T10:05:00Z', ...more },
});
const deleted = { deletionTimestamp: '2026-03-01T10:05:20Z', deletionGracePeriodSeconds: 30 };
const pulling = { waiting: { reason: 'ImagePullBackOff', message: 'Back-off' } };

describe('the result of a task that has succeeded', () => {
  it.each([
    ['its container runs', podOf({ running: {} })],
    ['nothing is known of its container yet', podOf(null)],
    ['its container is being made', podOf({ waiting: { reason: 'ContainerCreating' } })],
    ['its image was not there just now', podOf(pulling, { metadata: { creationTimestamp: '2026-03-01T10:09:00Z' } })],
  ])('is waited for while %s', (_what, pod) => {
    expect(observeCollector(pod, STAYS)).toEqual({ state: 'busy' });
  });

  it.each([
    [0, '{"value":1}', '{"value":1}'],
    [1, '{"problem":"no file"}', '{"problem":"no file"}'],
    [1, '', null],
  ])('is what its container left, exit code %i, %j', (exitCode, message, left) => {
    const pod = podOf(terminated(exitCode, { message }));
    expect(observeCollector(pod, STAYS)).toEqual({ state: 'ended', message: left });
    // Also when the Pod went meanwhile, or it took long
    expect(observeCollector(pod, { ...STAYS, gone: true, overdue: true })).toEqual({ state: 'ended', message: left });
  });

  it.each([
    ['the Pod is gone', podOf({ running: {} }), { gone: true }, 'pod_deleted', /deleted by somebody/],
    ['it was never seen', {} as KubePod, { gone: true }, 'pod_deleted', /deleted by somebody/],
    [
      'the Pod was evicted',
      podOf(null, { status: { phase: 'Failed', reason: 'Evicted', message: 'low on disk' } }),
      {},
      'evicted',
      /low on disk/,
    ],
    ['the Pod is being deleted', podOf(terminated(143), { metadata: deleted }), {}, 'pod_deleted', /deleted by some/],
    ['it took too long', podOf({ running: {} }), { overdue: true }, 'result_unavailable', /took too long/],
    ['its image is not there', podOf(pulling), {}, 'image_pull', /millrace-collector, image millrace:1: Back-off/],
    [
      'it needed too much memory',
      podOf(terminated(137, { reason: 'OOMKilled' })),
      {},
      'result_unavailable',
      /ended with exit code 137: OOMKilled\.$/,
    ],
    [
      'the service refuses',
      podOf(terminated(3, { message: '{"problem":"refused"}' })),
      {},
      'result_unavailable',
      /exit code 3: .*refused/,
    ],
  ])('is lost when %s', (_what, pod, how, cause, message) => {
    const seen = observeCollector(pod, { ...STAYS, ...how });
    expect(seen).toEqual({ state: 'broken', cause, message: expect.stringMatching(message) });
    expect(seen).toMatchObject({ message: expect.stringMatching(/^The task has succeeded, but its result/) });
  });
});
