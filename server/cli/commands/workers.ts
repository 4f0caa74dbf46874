import { Option, type Command } from 'commander';
import type { ApiClient } from '../api-client.ts';
import { CommandError } from '../command-error.ts';
import { serviceCommand, type ConnectionOptions } from '../connect.ts';
import { mutate } from '../outcome.ts';
import { printJson, printNote, printTable } from '../output.ts';
import { listAll } from '../pages.ts';
import { printWorker, workerRow } from '../print-worker.ts';
import { waitForWorkerEnd } from '../wait-for-worker-end.ts';
import type { ShownWorker, WorkerAnswer } from '../worker-answers.ts';
import { DRAIN, LIST, RESUME, SHOW } from '../worker-documents.ts';

interface ListOptions extends ConnectionOptions {
  queue?: string;
  state?: string;
  all?: boolean;
}
interface DrainOptions extends ConnectionOptions {
  handBack?: boolean;
  wait?: boolean;
}

const STATES = ['online', 'draining', 'offline'];

export function addWorkersCommand(program: Command): void {
  const workers = program.command('workers').description('the workers: what they serve, how busy they are, their end');
  const named = (name: string, about: string) =>
    workers.command(name).description(about).argument('<name>', 'its name');
  serviceCommand(
    workers
      .command('list')
      .description('list the workers')
      .option('--queue <name>', 'only those that serve this queue')
      .addOption(new Option('--state <state>', 'only those in this state').choices(STATES))
      .option('--all', 'those that have gone too'),
    list,
    'millrace workers list',
    'millrace workers list --queue gpu --json',
  );
  serviceCommand(named('show', 'print all about one, and what it runs'), show, 'millrace workers show gpu-1');
  serviceCommand(
    named('drain', 'have one take nothing new and end when what it runs has ended')
      .option('--hand-back', 'what runs is interrupted and runs again, as after a failure of the infrastructure')
      .option('--wait', 'until it has gone'),
    drain,
    'millrace workers drain gpu-1 --wait',
    'millrace workers drain gpu-1 --hand-back',
  );
  serviceCommand(named('resume', 'have one that drains take tasks again'), resume, 'millrace workers resume gpu-1');
}

async function list(client: ApiClient, { queue, state, all, json }: ListOptions): Promise<void> {
  const states = state ? [state] : all ? STATES : null;
  const filter = { queue, ...(states && { states: states.map((name) => name.toUpperCase()) }) };
  const found = await listAll<WorkerAnswer>(client, LIST, { filter });
  if (json) return printJson(found);
  printTable(found.map(workerRow), 'No such worker: "millrace worker" starts one.');
}

async function show(client: ApiClient, name: string, { json }: ConnectionOptions): Promise<void> {
  const { worker } = await client.request<{ worker: ShownWorker | null }>(SHOW, { name });
  if (!worker) throw new CommandError(`There is no worker "${name}"; "millrace workers list --all" lists them.`);
  if (json) return printJson(worker);
  printWorker(worker);
}

async function drain(client: ApiClient, name: string, { handBack, wait, json }: DrainOptions): Promise<void> {
  const input = { name, mode: handBack ? 'HAND_BACK' : 'FINISH' };
  const worker = await mutate<WorkerAnswer>(client, DRAIN, { input });
  if (!json) {
    const held = worker.running === 1 ? 'one task' : `${worker.running} tasks`;
    printNote(`${name} takes nothing new and ${handBack ? 'hands back' : 'finishes'} ${held}.`);
  }
  const last = wait ? await waitForWorkerEnd(client, worker) : worker;
  if (json) printJson(last);
  else if (wait) printNote(`${name} has gone.`);
}

async function resume(client: ApiClient, name: string, { json }: ConnectionOptions): Promise<void> {
  const worker = await mutate<WorkerAnswer>(client, RESUME, { input: { name } });
  if (json) return printJson(worker);
  printNote(`${name} takes tasks again.`);
}
