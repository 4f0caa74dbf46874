import type { Command } from 'commander';
import type { ApiClient } from '../api-client.ts';
import type { ClusterAnswer, ShownCluster } from '../cluster-answers.ts';
import { CHECK, CREATE, DELETE, LIST, PAUSE, SHOW, UPDATE } from '../cluster-documents.ts';
import { clusterAccess, clusterSettings, withClusterOptions, type ClusterOptions } from '../cluster-options.ts';
import { CommandError } from '../command-error.ts';
import { serviceCommand, type ConnectionOptions } from '../connect.ts';
import { mutate } from '../outcome.ts';
import { printJson, printNote, printTable } from '../output.ts';
import { printCluster } from '../print-cluster.ts';

export function addClusterCommand(program: Command): void {
  const cluster = program.command('cluster').description('Kubernetes clusters that tasks run on as Pods');
  const named = (name: string, about: string) =>
    cluster.command(name).description(about).argument('<name>', 'its name');
  serviceCommand(
    withClusterOptions(named('add', 'make a cluster known, and look whether tasks can run there')),
    add,
    'millrace cluster add default --kubeconfig ~/.kube/config --context prod --namespace jobs',
    'millrace cluster add eu --server https://eu.example:6443 --server-token-file token --ca-file ca.crt --namespace jobs,etl',
  );
  serviceCommand(
    withClusterOptions(named('set', 'change a cluster; what is not given stays as it is')),
    change,
    'millrace cluster set eu --max-pods 200 --pod-security baseline',
  );
  serviceCommand(cluster.command('list').description('list the clusters and how they are'), list);
  serviceCommand(
    named('show', 'print all about one, with the quotas of its namespaces'),
    show,
    'millrace cluster show eu',
  );
  serviceCommand(
    named('check', 'look at one now; fails when tasks cannot run there'),
    check,
    'millrace cluster check eu',
  );
  serviceCommand(named('pause', 'start no further Pods there; those that run go on'), pause(true));
  serviceCommand(named('unpause', 'start Pods there again'), pause(false));
  serviceCommand(
    named(
      'remove',
      'forget one; nothing there is touched, and its tasks wait until there is one of the name again',
    ).option('--force', 'also while tasks have Pods there'),
    remove,
  );
}

const NO_ACCESS =
  'Say how the cluster is reached: --in-cluster, or --kubeconfig FILE, or --server URL with --server-token-file FILE.';

async function add(client: ApiClient, name: string, options: ClusterOptions): Promise<void> {
  const access = clusterAccess(options);
  if (!access) throw new CommandError(NO_ACCESS);
  if (!options.namespace) throw new CommandError('Say where tasks may run: --namespace NAME[,NAME].');
  const input = { name, access, namespaces: options.namespace, settings: clusterSettings(options) };
  await mutate<object>(client, CREATE, { input });
  await lookAt(client, name, options);
}

async function change(client: ApiClient, name: string, options: ClusterOptions): Promise<void> {
  const access = clusterAccess(options);
  const { namespace: namespaces } = options;
  const input = {
    name,
    ...(access && { access }),
    ...(namespaces && { namespaces }),
    settings: clusterSettings(options),
  };
  await mutate<object>(client, UPDATE, { input });
  await lookAt(client, name, options);
}

/** Looks at it, and says how it is. */
async function lookAt(client: ApiClient, name: string, { json }: ConnectionOptions): Promise<ClusterAnswer> {
  const found = await mutate<ClusterAnswer>(client, CHECK, { input: { name } });
  if (json) printJson(found);
  else printNote(healthLine(found));
  return found;
}

const WORDS = { OK: 'is well', DEGRADED: 'is degraded', UNREACHABLE: 'is unreachable', UNKNOWN: 'is not known yet' };

function healthLine({ name, health, server, context }: ClusterAnswer): string {
  const where = [server, context && `context ${context}`, health.version && `Kubernetes ${health.version}`];
  const told = where.filter(Boolean).join(', ');
  return `${name} ${WORDS[health.state]}${told ? ` (${told})` : ''}.${health.message ? ` ${health.message}` : ''}`;
}

async function list(client: ApiClient, { json }: ConnectionOptions): Promise<void> {
  const { clusters } = await client.request<{ clusters: ClusterAnswer[] }>(LIST);
  if (json) return printJson(clusters);
  const rows = clusters.map(({ name, kind, health, paused, podCounts, namespaces, ...rest }) => ({
    name,
    kind: kind.toLowerCase(),
    health: health.state.toLowerCase() + (paused ? ', paused' : ''),
    version: health.version,
    waiting: podCounts.waiting,
    starting: podCounts.starting,
    running: podCounts.running,
    namespaces: namespaces.map((namespace) => namespace.name).join(','),
    server: rest.server,
  }));
  printTable(rows, 'No clusters yet: "millrace cluster add <name>" makes one known.');
}

async function show(client: ApiClient, name: string, { json }: ConnectionOptions): Promise<void> {
  const { cluster } = await client.request<{ cluster: ShownCluster | null }>(SHOW, { name });
  if (!cluster) throw new CommandError(`There is no cluster "${name}".`);
  if (json) return printJson(cluster);
  printCluster(cluster);
}

async function check(client: ApiClient, name: string, options: ConnectionOptions): Promise<void> {
  const { health } = await lookAt(client, name, options);
  if (health.state !== 'OK') process.exitCode = 1;
}

const pause =
  (paused: boolean) =>
  async (client: ApiClient, name: string, { json }: ConnectionOptions) => {
    const input = { name, paused };
    const changed = await mutate<ClusterAnswer>(client, PAUSE, { input });
    if (json) return printJson(changed);
    printNote(paused ? `${name} is paused: no further Pod is started there.` : `${name} goes on.`);
  };

async function remove(
  client: ApiClient,
  name: string,
  options: ConnectionOptions & { force?: boolean },
): Promise<void> {
  const input = { name, force: options.force ?? false };
  const gone = await mutate<{ deletedName: string }>(client, DELETE, {
    input,
  });
  if (options.json) return printJson(gone);
  printNote(`${name} is forgotten.`);
}
