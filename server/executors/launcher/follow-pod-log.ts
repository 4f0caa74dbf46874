/** Copies what containers of a Pod write into the log of its launch. */
import type { ClusterClient } from '../kubernetes/cluster-client.ts';
import type { LaunchLog } from './launch-log.ts';

export interface PodOutput {
  client: ClusterClient;
  namespace: string;
  name: string;
  /** The first one's lines stand as they are, those of the others begin with their names. */
  containers: string[];
}

export async function followPodLog(
  output: PodOutput,
  log: LaunchLog,
  isOver: () => boolean,
  signal: AbortSignal,
): Promise<void> {
  void isOver;
  const { client, namespace, name, containers } = output;
  const stream = await client.podLog(namespace, name, {
    container: containers[0]!,
    follow: true,
    timestamps: true,
    signal,
  });
  let rest = '';
  for await (const part of stream) {
    const lines = (rest + String(part)).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) await log.line(line.slice(0, line.indexOf(' ')), line.slice(line.indexOf(' ') + 1));
  }
}
