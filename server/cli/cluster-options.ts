/** Options of `millrace cluster add` and `set`, and what is sent of them. */
import { readFileSync } from 'node:fs';
import { Option, type Command } from 'commander';
import { POD_SECURITY_LEVELS } from '#sdk/clusters.ts';
import { parse } from 'yaml';
import { CommandError } from './command-error.ts';
import { wholeNumber } from './commands/runs.ts';
import type { ConnectionOptions } from './connect.ts';
import { readKubeconfigFile } from './kubeconfig-file.ts';

export interface ClusterOptions extends ConnectionOptions {
  inCluster?: boolean;
  kubeconfig?: string;
  context?: string;
  server?: string;
  serverTokenFile?: string;
  caFile?: string;
  insecure?: boolean;
  namespace?: string[];
  description?: string;
  serviceUrl?: string;
  runnerImage?: string;
  maxPods?: number;
  maxPodsPerNamespace?: number;
  podSecurity?: string;
  image?: string[];
  serviceAccount?: string[];
  qps?: number;
  burst?: number;
  parallelCreates?: number;
  podDefaults?: string;
}

const list = (text: string, before: string[] = []): string[] => [
  ...before,
  ...text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== ''),
];

export const withClusterOptions = (command: Command): Command =>
  command
    .option('--in-cluster', 'the cluster that the service runs in, with the service account of its Pods')
    .option('--kubeconfig <file>', 'a context of this kubeconfig; files that it names are read and sent along')
    .option('--context <name>', 'which one; its current one otherwise')
    .option('--server <url>', 'address of its API, with the token of a service account')
    .option('--server-token-file <file>', 'that token')
    .option('--ca-file <file>', 'certificates that sign the server’s, in PEM')
    .option('--insecure', 'check no certificate of --server; for tests')
    .option('--namespace <names>', 'where tasks may run, with commas between them; the first when they name none', list)
    .option('--description <text>', 'what it is for')
    .option('--service-url <url>', 'address under which Pods there reach the service')
    .option('--runner-image <image>', 'image of Millrace for tasks that bring none')
    .option('--max-pods <n>', 'Pods at once; further tasks wait', wholeNumber)
    .option('--max-pods-per-namespace <n>', 'the same in one namespace', wholeNumber)
    .addOption(new Option('--pod-security <level>', 'what Pods may do at most').choices(POD_SECURITY_LEVELS))
    .option('--image <patterns>', 'images that tasks may run, with commas between them; * is anything', list)
    .option('--service-account <names>', 'service accounts that tasks may name, with commas between them', list)
    .option('--qps <n>', 'requests a second to its API, on average', wholeNumber)
    .option('--burst <n>', 'requests at once after a quiet time', wholeNumber)
    .option('--parallel-creates <n>', 'Pods created at the same time', wholeNumber)
    .option('--pod-defaults <file>', 'JSON or YAML: a partial Pod below what DAGs and tasks say');

/** What of it is given. */
export function clusterSettings(options: ClusterOptions): { [field: string]: unknown } {
  const { description, serviceUrl, runnerImage, maxPods, maxPodsPerNamespace, podSecurity } = options;
  const { image, serviceAccount, qps, burst, parallelCreates, podDefaults } = options;
  const settings = {
    ...{ description, serviceUrl, runnerImage, maxPods, maxPodsPerNamespace, qps, burst, parallelCreates },
    podSecurity: podSecurity?.toUpperCase(),
    images: image,
    serviceAccounts: serviceAccount,
    podDefaults: podDefaults === undefined ? undefined : parse(readOrFail(podDefaults)),
  };
  return Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined));
}

/** Undefined: nothing is said of how it is reached. */
export function clusterAccess(options: ClusterOptions): { [field: string]: unknown } | undefined {
  const { inCluster, kubeconfig, context, server, serverTokenFile, caFile, insecure } = options;
  const ways = [inCluster && '--in-cluster', kubeconfig && '--kubeconfig', server && '--server'].filter(Boolean);
  if (ways.length > 1) throw new CommandError(`Give one of ${ways.join(' and ')}.`);
  if (context && !kubeconfig) throw new CommandError('--context goes with --kubeconfig.');
  if ((serverTokenFile || caFile || insecure) && !server)
    throw new CommandError('--server-token-file, --ca-file and --insecure go with --server.');
  if (inCluster) return { inCluster };
  if (kubeconfig) return { kubeconfig: readKubeconfigFile(kubeconfig, context ?? null).kubeconfig };
  if (!server) return undefined;
  if (!serverTokenFile)
    throw new CommandError('--server needs --server-token-file: a file with the token of a service account there.');
  return {
    server,
    token: readOrFail(serverTokenFile),
    ...(caFile && { ca: readOrFail(caFile) }),
    ...(insecure && { insecure }),
  };
}

function readOrFail(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new CommandError(`Cannot read ${file}: ${(cause as Error).message}`, { cause });
  }
}
