import { METRICS } from '../../server/metrics/metric-list.ts';

/** docs/metrics.md, from the list that the program itself counts by. */
export function metricsPage(mark: string): string {
  const rows = Object.entries<{ type: string; help: string; labels: readonly string[] }>(METRICS).map(
    ([name, { type, help, labels }]) =>
      `| \`${name}\` | ${type} | ${labels.map((label) => `\`${label}\``).join(', ')} | ${help} |`,
  );
  return `<!-- ${mark} -->

# Metrics

\`start\`, \`server\` and \`scheduler\` give them to Prometheus at \`/metrics\` of the port that [MILLRACE_METRICS_PORT](configuration.md)
names; without it nothing is counted. Every process counts what it does itself: ask each of them, and add up; only of queues, and of the logs
that wait for the log store, each tells the same, of all of them: take one, or the largest. The port listens on MILLRACE_HOST and asks nobody to sign in; the figures have names of
clusters and queues in them, but none of DAGs or tasks.

| metric | kind | labels | what it is |
| --- | --- | --- | --- |
${rows.join('\n')}

Kubernetes tells the times of Pods in whole seconds. Beside these stand those of the process as every Node.js service has them
(\`process_…\`, \`nodejs_…\`): CPU, memory, delay of the event loop, garbage collection.
`;
}
