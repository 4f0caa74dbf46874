/**
 * A task in a Pod of its own, of any image, and one on a worker that takes its result.
 *
 * It wants a Kubernetes cluster; start it by hand once there is one:
 *
 *     MILLRACE_KUBECONFIG=~/.kube/config MILLRACE_KUBE_NAMESPACES=default npm start
 *     npx millrace trigger kubernetes_hello --follow
 */
import { dag } from 'millrace';
import { z } from 'zod';

export default dag(
  'kubernetes_hello',
  {
    description: 'Hello from a Pod. Needs a Kubernetes cluster called default',
    docs: 'Without a cluster its first task waits, and says so. To have one: `MILLRACE_KUBECONFIG=~/.kube/config npm start`, or `millrace cluster add default`.',
    tags: ['example', 'kubernetes'],
    params: z.object({
      image: z.string().default('python:3.8-slim').describe('Any image with a shell'),
      name: z.string().default('world'),
    }),
  },
  ({ pod, task }) => {
    const hello = pod<{ host: string; python: string }>('hello', {
      image: '{{ params.image }}',
      // What Kubernetes has fetched once it does not fetch again
      imagePullPolicy: 'IfNotPresent',
      env: { NAME: '{{ params.name }}', NODE: { field: 'spec.nodeName' } },
      command: [
        'sh',
        '-c',
        `python=$(python3 -V 2>/dev/null || echo none)
         echo "Hello, $NAME, from Pod $(hostname) on $NODE. Python: $python"
         echo "{\\"host\\": \\"$(hostname)\\", \\"python\\": \\"$python\\"}" > /dev/termination-log`,
      ],
      resources: { requests: { cpu: '50m', memory: '32Mi' }, limits: { memory: '128Mi' } },
      // What the container leaves in its termination message is the result: JSON, or a text
      result: 'termination',
    });

    task('report', { hello }, ({ hello, ctx }) => {
      ctx.log.info(`${hello.host} is gone, what it said is here. Its Python: ${hello.python}`);
      return hello.host;
    });
  },
);
