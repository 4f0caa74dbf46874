/** From a trigger on an idle system to the handler's first line, both by the machine's monotonic clock. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Bench, Row } from './scenario.ts';
import type { Side } from './side.ts';

interface Stamp {
  runId: string;
  /** Microseconds. */
  at: number;
}

/** Mean pause between two triggers; each differs by up to a quarter, so that no beat of ours meets one of theirs. */
const GAP_MS = 15;
const IDLE_MS = 2000;

export interface LatencyContender {
  row: Row;
  triggers: Side;
  /** Where handlers run; the same as `triggers` when there is one process. */
  handles: Side;
  /** What triggerIdle needs beside the number of samples. */
  argument: object;
  /** Handlers tell their first line as their result, instead of in the process that `handles`. */
  told: boolean;
}

/** Blocks of samples in turns, after two seconds of silence. */
export async function sampleLatency(bench: Bench, samples: number, contenders: LatencyContender[]): Promise<Row[]> {
  const block = Math.min(100, samples);
  // Code and plans of the first triggers are cold
  for (const contender of contenders) await take(contender, Math.min(50, block));
  await bench.postgres.settle();
  await sleep(IDLE_MS);
  for (let done = 0; done < samples; done += block) {
    for (const contender of contenders) {
      const ms = await take(contender, block);
      contender.row.values.push(...ms);
    }
  }
  return contenders.map(({ row }) => {
    bench.log(`${row.key} ${row.side}: ${row.values.length} samples`);
    return row;
  });
}

async function take({ triggers, handles, argument, told }: LatencyContender, samples: number): Promise<number[]> {
  const triggered = await triggers.call<Stamp[]>('triggerIdle', { ...argument, samples, gapMs: GAP_MS });
  const starts = new Map<string, number>();
  const isMissing = ({ runId }: Stamp) => !starts.has(runId);
  const deadline = performance.now() + 10_000;
  while (triggered.some(isMissing)) {
    for (const { runId, at } of await handles.call<Stamp[]>('takeStarts', { told })) starts.set(runId, at);
    if (performance.now() > deadline)
      throw new Error(
        `${triggered.filter(isMissing).length} of ${samples} handlers had not started ten seconds later.`,
      );
    await sleep(5);
  }
  return triggered.map(({ runId, at }) => ((starts.get(runId) ?? NaN) - at) / 1000);
}
