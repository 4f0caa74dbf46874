/** A service that is broken in every way while it works, then mended; and whether it kept its promises. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkRuns } from '../../helpers/check-runs.ts';
import { runCli } from '../../helpers/cli.ts';
import { limitProblems } from '../../helpers/gate-history.ts';
import type { RunRecord } from '#db/replay/run-record.ts';
import { waitFor } from '../../helpers/wait-for.ts';
import { causesOf } from '../../helpers/workload.ts';
import { startClient } from './client.ts';
import type { FaultName } from './faults.ts';
import { startFleet, type Fleet, type FleetSize } from './fleet.ts';
import { startNemesis, type Nemesis } from './nemesis.ts';
import { logProblems, readWitness, witnessProblems } from './witness.ts';

export interface ChaosOptions {
  seed: number;
  size: FleetSize;
  /** Of the five DAGs in turn; about 14 task instances each. */
  runs: number;
  faults: readonly FaultName[];
  /** How long the service is broken, and used. */
  brokenMs: number;
  /** From then on until all has ended. */
  healMs: number;
  /** Folder for what each process said and what was done to it. */
  keep?: string | undefined;
  say?(text: string): void;
}

export interface ChaosResult {
  instances: number;
  /** How many tries ended by each cause. */
  causes: { [cause: string]: number };
  faults: number;
  healSeconds: number;
}

/** So often a person hears what is still to be done. */
const TELL_MS = 20_000;
const DAG_IDS = ['chaos_chain', 'chaos_fan', 'chaos_mapped', 'chaos_setup', 'chaos_limits'];
const POOLS = { narrow: 10, wide: 8 };
const DAGS = join(import.meta.dirname, '../dags/chaos.ts');

/** Throws with all that it found, the seed, and what was done when. */
export async function runChaos(options: ChaosOptions): Promise<ChaosResult> {
  const { seed, size, say = () => undefined } = options;
  const fleet = await startFleet(size);
  const folder = mkdtempSync(join(tmpdir(), 'millrace-witness-'));
  const witness = join(folder, 'witness');
  writeFileSync(witness, '');
  let nemesis: Nemesis | undefined;
  try {
    say('the fleet is up');
    await deploy(fleet);
    const client = startClient({ fleet, dagIds: DAG_IDS, runs: options.runs, ms: options.brokenMs, witness });
    // Who is stopped before it has work has nothing to lose
    await waitFor(() => readWitness(witness).size >= size.workers * 4, { what: 'tasks to run', timeoutMs: 60_000 });
    nemesis = startNemesis({ fleet, seed, faults: options.faults });
    await new Promise((resolve) => setTimeout(resolve, options.brokenMs));
    await nemesis.stop();
    say('all is mended');
    const healing = performance.now();
    const runs = await client.done;
    await allEnded(fleet, runs.size, options);
    const healSeconds = Math.round((performance.now() - healing) / 1000);
    say(`all has ended ${healSeconds} s later`);
    const records = await check(fleet, runs, witness);
    return {
      instances: records.reduce((sum, { instances }) => sum + instances.length, 0),
      causes: causesOf(records),
      faults: nemesis.timeline().length,
      healSeconds,
    };
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    const story = [
      `Chaos with seed ${seed}:`,
      message,
      'What was done:',
      ...(nemesis?.timeline() ?? []),
      ...lastWords(fleet),
    ];
    throw new Error(story.join('\n'), { cause });
  } finally {
    if (options.keep !== undefined) keepStory(options.keep, fleet, nemesis);
    await fleet.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

function keepStory(folder: string, fleet: Fleet, nemesis: Nemesis | undefined): void {
  mkdirSync(folder, { recursive: true });
  for (const member of fleet.members) writeFileSync(join(folder, `${member.name}.log`), member.output());
  writeFileSync(join(folder, 'timeline'), (nemesis?.timeline() ?? []).join('\n'));
}

async function deploy(fleet: Fleet): Promise<void> {
  const env = { MILLRACE_URL: `http://127.0.0.1:${fleet.line.port}`, MILLRACE_TOKEN: fleet.token };
  for (const [name, slots] of Object.entries(POOLS)) await expectOk(['pool', 'set', name, String(slots)], env);
  await expectOk(['deploy', DAGS], env);
}

async function expectOk(args: string[], env: { [name: string]: string }): Promise<void> {
  const { code, stdout, stderr } = await runCli(args, env);
  if (code !== 0) throw new Error(`millrace ${args.join(' ')}: ${stdout}${stderr}`);
}

async function allEnded(
  fleet: Fleet,
  runs: number,
  { healMs, say = () => undefined }: Pick<ChaosOptions, 'healMs' | 'say'>,
): Promise<void> {
  const teller = setInterval(() => void standing(fleet).then(say, say), TELL_MS);
  const look = async () => {
    const { rows } = await fleet
      .database()
      .pool.query<{ ended: number }>('select count(*)::int as ended from dag_run where ended_at is not null');
    return rows[0]?.ended === runs;
  };
  const ended = waitFor(look, { timeoutMs: healMs, what: `all ${runs} runs to end` });
  await ended
    .finally(() => clearInterval(teller))
    .catch(async (cause: unknown) => {
      throw new Error(`Not all runs ended; what stands:\n${await standing(fleet)}`, { cause });
    });
}

async function check(fleet: Fleet, runs: ReadonlyMap<string, number>, witness: string): Promise<RunRecord[]> {
  const database = fleet.database();
  const records = await checkRuns(database, { finished: true });
  const problems = [
    ...records.filter(({ run }) => run.state !== 'success').map(({ run }) => `run ${run.id} ended as ${run.state}`),
    ...fleet.members
      .filter((one) => one.deaths() > 0)
      .map((one) => `${one.name} ended by itself, ${one.deaths()} times:\n${one.output().slice(-3000)}`),
    ...acknowledgedProblems(records, runs),
    ...limitProblems(records, POOLS),
    ...witnessProblems(records, readWitness(witness)),
    ...(await logProblems(database.pool)),
  ];
  if (problems.length > 0) throw new Error(`${problems.length} promises are broken:\n${problems.join('\n')}`);
  return records;
}

/** Every key has the run that the service named, and no run is there that nobody asked for. */
function acknowledgedProblems(records: readonly RunRecord[], runs: ReadonlyMap<string, number>): string[] {
  const [there, named] = [new Set(records.map(({ run }) => run.id)), new Set(runs.values())];
  return [
    ...[...runs]
      .filter(([, id]) => !there.has(id))
      .map(([key, id]) => `${key} was acknowledged as ${id}, which is not there`),
    ...[...there].filter((id) => !named.has(id)).map((id) => `run ${id} is there, and nobody was told of it`),
    ...(named.size === runs.size ? [] : ['two keys have one run']),
  ];
}

/** What has neither ended nor waits for others. */
async function standing(fleet: Fleet): Promise<string> {
  const { rows } = await fleet.database().pool.query<{ line: string }>(
    `select concat_ws(' ', r.id, r.state, t.task_index || '.' || t.map_index, t.state, 'try', t.try_number, 'started', t.started_at, 'until', t.deadline_at,
       'lease', l.renewed_until, 'on', w.name, w.id, w.state, 'heard of', w.last_beat_at, 'now', clock_timestamp()) as line
     from dag_run r left join task_instance t on t.run_id = r.id and t.state in ('scheduled', 'queued', 'running', 'up_for_retry', 'up_for_reschedule', 'deferred')
     left join worker w on w.id = t.worker_id left join task_lease l on l.dispatch_id = t.dispatch_id
     where r.ended_at is null order by 1 limit 100`,
  );
  return rows.map((row) => row.line).join('\n');
}

const lastWords = (fleet: Fleet): string[] =>
  fleet.members.map((member) => `--- ${member.name} said last:\n${member.output().slice(-1500)}`);
