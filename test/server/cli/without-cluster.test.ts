import { expect, test } from 'vitest';
import { withoutCluster } from '#server/cli/roles/without-cluster.ts';
import { specOf } from '../../helpers/specs.ts';

const dag = (dagId: string, ...clusters: (string | null)[]) =>
  specOf({
    dagId,
    tasks: clusters.map((cluster, index) =>
      cluster === null
        ? { taskId: `t${index}`, kind: 'bash', command: 'true' }
        : { taskId: `t${index}`, kind: 'pod', image: 'i', cluster },
    ),
  });

test('DAGs whose cluster nobody has named are told by cluster, with what to do', () => {
  const specs = [dag('plain', null), dag('b', 'default', null, 'default'), dag('a', 'default'), dag('c', 'eu')];
  expect(withoutCluster(specs, ['default', 'eu'])).toBeNull();
  expect(withoutCluster(specs, [])?.split('\n')).toEqual([
    expect.stringMatching(/^2 DAGs need a Kubernetes cluster "default": a, b\. .*MILLRACE_KUBECONFIG/),
    expect.stringMatching(/^1 DAG needs a Kubernetes cluster "eu": c\. .*"millrace cluster add eu"\.$/),
  ]);
});
