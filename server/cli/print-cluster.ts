import type { ShownCluster } from './cluster-answers.ts';
import { formatTime, printLine, printTable } from './output.ts';

/** All about one, for people. */
export function printCluster(cluster: ShownCluster): void {
  for (const [label, value] of facts(cluster)) if (value) printLine(`${label.padEnd(22)}${value}`);
  for (const namespace of cluster.namespaces) printNamespace(namespace);
}

function facts(cluster: ShownCluster): [label: string, value: string | null | undefined][] {
  const { health, podCounts } = cluster;
  return [
    ['name', cluster.name],
    ['description', cluster.description],
    ['kind', cluster.kind.toLowerCase()],
    ['server', cluster.server && `${cluster.server}${cluster.insecure ? ' (its certificate is not checked)' : ''}`],
    ['context', cluster.context],
    ['state', cluster.paused ? 'paused' : null],
    ['kept by', cluster.managed ? 'the configuration of the service' : null],
    ['health', `${health.state.toLowerCase()} since ${formatTime(health.since)}`],
    ['', health.message],
    ['missing permissions', health.missingPermissions.join('; ')],
    ['Kubernetes', health.version],
    ['Pods', `${podCounts.running} running, ${podCounts.starting} starting, ${podCounts.waiting} waiting`],
    ['most Pods', mostPods(cluster)],
    ['requests', `${cluster.qps} a second, ${cluster.burst} at once, ${cluster.parallelCreates} creations at once`],
    ['Pod security', cluster.podSecurity.toLowerCase()],
    ['images', cluster.images.join(', ') || 'any'],
    ['service accounts', cluster.serviceAccounts.join(', ') || 'any'],
    ['service address', cluster.serviceUrl],
    ['runner image', cluster.runnerImage],
    ['Pod defaults', cluster.podDefaults ? JSON.stringify(cluster.podDefaults) : null],
    ['last changed', `${formatTime(cluster.updatedAt)} by ${cluster.updatedBy}`],
  ];
}

const mostPods = ({ maxPods, maxPodsPerNamespace }: ShownCluster): string =>
  maxPodsPerNamespace === null ? String(maxPods) : `${maxPods}, ${maxPodsPerNamespace} in one namespace`;

function printNamespace({ name, error, quotas, limitRanges }: ShownCluster['namespaces'][number]): void {
  printLine(`\nnamespace ${name}`);
  if (error) return printLine(`  ${error}`);
  if (quotas.length === 0 && limitRanges.length === 0) return printLine('  no quotas, no limits');
  const used = quotas.flatMap((quota) =>
    quota.resources.map(({ resource, used: taken, hard, usedFraction }) => ({
      quota: quota.name,
      resource,
      used: taken,
      hard,
      '%': usedFraction === null ? '' : Math.round(usedFraction * 100),
    })),
  );
  if (used.length > 0) printTable(used, '');
  const limits = limitRanges.flatMap((range) => range.limits.map((limit) => ({ limits: range.name, ...limit })));
  if (limits.length > 0) printTable(limits, '');
}
