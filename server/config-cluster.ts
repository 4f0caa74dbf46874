/** The cluster `default`, where the configuration names it. */
import { type z } from 'zod';
import { boolean, namespaceNames, path, text } from './config-values.ts';

export const CLUSTER_VARIABLES = {
  MILLRACE_KUBECONFIG: {
    schema: path,
    about:
      'Kubeconfig of the cluster `default`, which `start` and `server` make known as they start. KUBECONFIG alone is not used.',
  },
  MILLRACE_KUBE_CONTEXT: { schema: text.min(1), about: 'Its context.', fallback: 'its current one' },
  MILLRACE_KUBE_NAMESPACES: {
    schema: namespaceNames,
    about:
      'Namespaces of the cluster `default` where tasks may run, with commas between them; the first one when they name none.',
    fallback: 'that of the context, else `default`',
  },
  MILLRACE_IN_CLUSTER: {
    schema: boolean,
    about: 'The cluster `default` is the one that the service runs in, with the service account of its Pods.',
    fallback: '`false`',
  },
};

type Values = { [K in keyof typeof CLUSTER_VARIABLES]?: z.output<(typeof CLUSTER_VARIABLES)[K]['schema']> | undefined };

export const clusterMistakes = (values: Values): string[] =>
  values.MILLRACE_IN_CLUSTER === true && values.MILLRACE_KUBECONFIG !== undefined
    ? ['MILLRACE_IN_CLUSTER: not together with MILLRACE_KUBECONFIG, both name the cluster `default`.']
    : [];

export const clusterConfig = (values: Values, environment: { [name: string]: string | undefined }) => ({
  kubeconfig: values.MILLRACE_KUBECONFIG ?? null,
  context: values.MILLRACE_KUBE_CONTEXT ?? null,
  namespaces: values.MILLRACE_KUBE_NAMESPACES ?? null,
  inCluster: values.MILLRACE_IN_CLUSTER ?? false,
  /** There is a cluster that the person may have meant. */
  hint: !!environment['KUBECONFIG']?.trim(),
});
