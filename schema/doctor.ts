/** What an examination of a deployment says. */

export const SEVERITIES = ['info', 'warning', 'error'] as const;
/** `info`: good to know. `warning`: works, and will not for ever. `error`: something does not work. */
export type Severity = (typeof SEVERITIES)[number];

export interface Finding {
  severity: Severity;
  what: string;
  /** The process, table, queue or run that it is about. */
  where: string;
  /** What to do; empty where there is nothing to be done. */
  advice: string;
}

export interface CheckResult {
  name: string;
  findings: Finding[];
}

export interface DoctorOptions {
  /** Replays the events of this run alone; of the newest ones otherwise. */
  runId: number | null;
}

export type Doctor = (options: DoctorOptions) => Promise<CheckResult[]>;
