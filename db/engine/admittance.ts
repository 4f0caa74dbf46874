/** Brings runs to admission whose waiting tasks may pass: what a flush left to do, what time or a person has changed, what was missed. */
import type pg from 'pg';
import {
  MISHELD_RUNS,
  STALLED_GATES,
  WAITING_RUNS,
  FORGET_RATES,
} from '#db/queries/task-transitions/gate-statements.ts';
import type { FollowUp } from './admit-gated.ts';
import type { Versions } from './versions.ts';
import type { AdmitItem } from './work-items.ts';

/** Most runs of a gate that are locked at once. */
const MOST_RUNS = 64;
const MOST_GATES = 1000;

export interface Admittance {
  follow(left: FollowUp): Promise<void>;
  wake(gates: readonly string[]): Promise<void>;
  /** Runs of which instances were ended or set back by somebody's hand. */
  tidy(runIds: readonly number[]): Promise<void>;
  review(): Promise<void>;
}

interface AdmittanceDeps {
  pool: pg.Pool;
  versions: Versions;
  submit(item: AdmitItem): void;
}

export function createAdmittance({ pool, versions, submit }: AdmittanceDeps): Admittance {
  const send = async (runIds: number[], gates: string[], tidy: boolean) => {
    if (runIds.length === 0) return;
    await versions.loadRuns(runIds);
    await new Promise<void>((resolve, reject) =>
      submit({ kind: 'admit', rows: runIds.length, runIds, gates, tidy, resolve, reject }),
    );
  };

  /** As each slot lets one instance pass at most, a gate's room is also the most runs to ask. */
  const follow = async ({ gates, runs }: FollowUp) => {
    const { rows } = await pool.query<{ run_id: number }>({
      ...WAITING_RUNS,
      values: [[...gates.keys()], [...gates.values()].map((room) => Math.min(room, MOST_RUNS))],
    });
    await send([...new Set([...runs, ...rows.map((row) => row.run_id)])], [...gates.keys()], false);
  };

  const wake = (gates: readonly string[]) =>
    follow({ gates: new Map(gates.map((gate) => [gate, MOST_RUNS])), runs: new Set() });

  const tidy = async (runIds: readonly number[]) => {
    await versions.loadRuns(runIds);
    await send(
      runIds.filter((runId) => versions.ofRun(runId)?.hasGates),
      [],
      true,
    );
  };

  return {
    follow,
    wake,
    tidy,
    async review() {
      await pool.query(FORGET_RATES);
      const { rows: misheld } = await pool.query<{ id: number }>({ ...MISHELD_RUNS, values: [MOST_GATES] });
      await send(
        misheld.map((row) => row.id),
        [],
        true,
      );
      const { rows: stalled } = await pool.query<{ gate: string }>({ ...STALLED_GATES, values: [MOST_GATES] });
      if (stalled.length > 0) await wake(stalled.map((row) => row.gate));
    },
  };
}
