/**
 * The code of a DAG in a Pod of its own: the same function, bundle, log and result as on a worker, with a machine's share of its own.
 *
 * It wants a Kubernetes cluster that knows the image of Millrace and how Pods reach the service:
 *
 *     docker build -t registry.example/millrace . && docker push registry.example/millrace
 *     npx millrace cluster add default --kubeconfig ~/.kube/config --runner-image registry.example/millrace --service-url http://10.0.0.5:4400
 */
import { dag } from 'millrace';

export default dag(
  'kubernetes_code',
  {
    description:
      'TypeScript and bash, each in a Pod. Needs a Kubernetes cluster called default that has an image of Millrace',
    docs: 'Without a cluster its first task waits, and says so. What the cluster needs to know is in docs/kubernetes.md, under "Code in Pods".',
    tags: ['example', 'kubernetes'],
    // For all tasks of this DAG that run in Pods
    pod: { resources: { requests: { cpu: '100m', memory: '128Mi' }, limits: { memory: '512Mi' } } },
  },
  ({ task, bash }) => {
    const primes = task('primes', {}, { executor: 'kubernetes', pod: { labels: { team: 'numbers' } } }, ({ ctx }) => {
      const found: number[] = [];
      for (let n = 2; found.length < 1_000; n++) if (found.every((prime) => n % prime !== 0)) found.push(n);
      ctx.log.info(`the thousandth prime is ${found.at(-1)}`);
      return found.at(-1);
    });

    bash('say', { executor: 'kubernetes', inputs: { PRIME: primes }, command: 'echo "$PRIME, from Pod $(hostname)"' });
  },
);
