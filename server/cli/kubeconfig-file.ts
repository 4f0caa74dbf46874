/** A kubeconfig of this machine, made into one that stands alone. */
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { KubeconfigError, readKubeconfig, type ReadKubeconfig } from '#schema/kubeconfig.ts';
import { CommandError } from './command-error.ts';

/** What to do where a person signs in by a program. */
const SERVICE_ACCOUNT = `Make one for Millrace, and add the cluster with its token:
  kubectl create serviceaccount millrace --namespace jobs
  kubectl create role millrace --namespace jobs --verb create,get,list,watch,delete --resource pods,pods/log,events,resourcequotas,limitranges
  kubectl create rolebinding millrace --namespace jobs --role millrace --serviceaccount jobs:millrace
  kubectl create token millrace --namespace jobs --duration 8760h > token
  millrace cluster add NAME --server https://HOST:6443 --server-token-file token --ca-file ca.crt --namespace jobs`;

/** `context`: null is the current one. Files that it names are read, and put in their place. */
export function readKubeconfigFile(path: string, context: string | null): ReadKubeconfig {
  const read = (file: string): Buffer => {
    const absolute = resolve(dirname(path), file);
    try {
      return readFileSync(absolute);
    } catch (cause) {
      throw new CommandError(`Cannot read ${absolute}: ${(cause as Error).message}`, { cause });
    }
  };
  const text = read(resolve(path)).toString('utf8');
  try {
    return readKubeconfig(text, { context, readFile: read });
  } catch (cause) {
    if (!(cause instanceof KubeconfigError)) throw cause;
    const advice = cause.runsProgram ? `\n${SERVICE_ACCOUNT}` : '';
    throw new CommandError(`${path} cannot be used: ${cause.message}${advice}`, { cause });
  }
}
