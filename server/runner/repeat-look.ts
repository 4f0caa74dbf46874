/** A sensor that a worker looks for: again and again in mode `poke`, once in mode `reschedule`. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { SensorTaskSpec } from '#sdk/dag-spec.ts';
import { afterLook, type Look } from '#sdk/poke.ts';
import type { Dispatch } from '#sdk/protocol.ts';
import type { TaskResult } from './messages.ts';

export interface RepeatedLook {
  rules: SensorTaskSpec;
  waiting: NonNullable<Dispatch['waiting']>;
  /** Of the jitter. */
  seed: string;
  /** Ends the sleep between looks: then it rejects. */
  signal: AbortSignal;
  look(): Promise<Look>;
  /** Of each look that found nothing; null: it does not say what it saw. */
  onNothing?(note: string | null): void;
}

export async function repeatLook({ rules, waiting, seed, signal, look, onNothing }: RepeatedLook): Promise<TaskResult> {
  const startedAt = performance.now();
  for (let pokes = waiting.pokes; ; pokes++) {
    const seen = await look();
    const elapsed = waiting.elapsed + (performance.now() - startedAt) / 1000;
    const verdict = afterLook(rules, seen, { elapsed, pokes }, seed);
    if (verdict.outcome === 'success')
      return { outcome: 'success', ...(verdict.value !== null && { xcoms: { return_value: verdict.value } }) };
    if (verdict.outcome !== 'wait') return verdict;
    onNothing?.(verdict.message);
    if (rules.mode === 'reschedule') return { outcome: 'rescheduled', afterSeconds: verdict.seconds };
    await sleep(verdict.seconds * 1000, undefined, { signal });
  }
}
