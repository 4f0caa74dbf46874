import { InvalidArgumentError, Option, type Command } from 'commander';
import { parseLabels } from '#sdk/worker-labels.ts';
import { WORKER_NAME } from '../../config-values.ts';
import type { UserRole } from '#db/queries/users.ts';
import type { WorkerOptions } from '../roles/worker.ts';
import { withExamples } from '../examples.ts';
import { wholeNumber } from './runs.ts';

/** Each role is imported when asked for: `millrace dags` must not load a server. */
export function addRoleCommands(program: Command): void {
  withExamples(
    program
      .command('start')
      .description('everything in one process, with a PostgreSQL of its own unless DATABASE_URL is set')
      .action(async () => (await import('../roles/start.ts')).runStart()),
    'millrace start',
  );
  withExamples(
    program
      .command('server')
      .description('the API and the page')
      .action(async () => (await import('../roles/server.ts')).runServer()),
    'millrace server',
  );
  withExamples(
    program
      .command('migrate')
      .description('bring the database schema up to date')
      .action(async () => (await import('../roles/migrate.ts')).runMigrate()),
    'DATABASE_URL=postgres://millrace@db/millrace millrace migrate',
  );
  withExamples(
    program
      .command('scheduler')
      .description('create due runs, wake retries, end expired leases')
      .action(async () => (await import('../roles/scheduler.ts')).runScheduler()),
    'millrace scheduler',
  );
  withExamples(
    program
      .command('worker')
      .description('run tasks of the service at MILLRACE_URL')
      .option('--queues <names>', 'queues to serve, with commas between them (MILLRACE_WORKER_QUEUES)', list)
      .option('--slots <n>', 'tasks at once (MILLRACE_WORKER_SLOTS)', wholeNumber)
      .option('--labels <list>', 'what is said of it, as zone=a,gpu=a100 (MILLRACE_WORKER_LABELS)', labels)
      .option('--name <name>', 'its name, which stays over restarts (MILLRACE_WORKER_NAME)', workerName)
      .action(async (options: WorkerOptions) => (await import('../roles/worker.ts')).runWorker(options)),
    'millrace worker --queues default,gpu --slots 8',
    'millrace worker --queues gpu --name gpu-1 --labels zone=a,gpu=a100',
  );
  addPodCommands(program);
  withExamples(
    program
      .command('login-link')
      .description('print a link that signs a person in, once (reads the database: DATABASE_URL, or that of `start`)')
      .option('--user <name>', 'who; made when not there yet', 'admin')
      .addOption(
        new Option('--role <role>', 'role of a new user').choices(['viewer', 'editor', 'admin']).default('admin'),
      )
      .action(async (options: { user: string; role: UserRole }) =>
        (await import('../roles/login-link.ts')).printLoginLink(options),
      ),
    'millrace login-link --user ada --role editor',
  );
}

/** What runs in the Pods of tasks. */
function addPodCommands(program: Command): void {
  withExamples(
    program
      .command('run-task')
      .description('run the one task that this Pod is for; the service starts it, people do not')
      .action(async () => (await import('../roles/run-task.ts')).runTask()),
    'millrace run-task',
  );
  withExamples(
    program
      .command('collect-result')
      .description('bring the result that the task of this Pod left in a file; the service starts it, people do not')
      .action(async () => (await import('../roles/collect-result.ts')).runCollectResult()),
    'millrace collect-result',
  );
}

function labels(text: string): { [name: string]: string } {
  const parsed = parseLabels(text);
  if (typeof parsed === 'string') throw new InvalidArgumentError(parsed);
  return parsed;
}

function workerName(text: string): string {
  if (!WORKER_NAME.test(text)) throw new InvalidArgumentError('It must be up to 200 letters, digits and . : _ -');
  return text;
}

const list = (text: string): string[] =>
  text
    .split(',')
    .map((name) => name.trim())
    .filter(Boolean);
