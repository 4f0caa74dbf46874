/** Copies what containers of a Pod write into the log of its launch. */
import type { ClusterClient } from '../kubernetes/cluster-client.ts';
import { followPodLog as follow } from '../kubernetes/pod-log.ts';
import type { LaunchLog } from './launch-log.ts';

export interface PodOutput {
  client: ClusterClient;
  namespace: string;
  name: string;
  /** The first one's lines stand as they are, those of the others begin with their names. */
  containers: readonly string[];
}

/** Resolves when all that they wrote is in the log, or with why some of it may not be. `ended`: they write no more. */
export async function followPodLog(
  output: PodOutput,
  log: LaunchLog,
  { ended, signal }: { ended: AbortSignal; signal: AbortSignal },
): Promise<string | null> {
  const copies = output.containers.map((container, index) =>
    copy(output, log, { container, prefix: index === 0 ? '' : `[${container}] ` }, { ended, signal }),
  );
  const problems = (await Promise.all(copies)).filter((problem) => problem !== null);
  return problems.length > 0 ? problems.join(' ') : null;
}

async function copy(
  { client, namespace, name }: PodOutput,
  log: LaunchLog,
  { container, prefix }: { container: string; prefix: string },
  signals: { ended: AbortSignal; signal: AbortSignal },
): Promise<string | null> {
  const { complete, problem } = await follow({
    ...{ client, namespace, pod: name, container, ...signals },
    resumeAfter: log.storedTimes(prefix),
    async onLines(lines) {
      for (const { time, text } of lines) await log.line(time, prefix + text);
    },
  });
  return complete || problem === null ? null : `The output of container ${container} may lack its end. ${problem}`;
}
