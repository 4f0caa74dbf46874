import { Command } from 'commander';
import { ConfigError } from '../config.ts';
import { CommandError } from './command-error.ts';
import { addBackfillCommand } from './commands/backfill.ts';
import { addAssetCommands } from './commands/assets.ts';
import { addConnectionCommand } from './commands/connection.ts';
import { addCancelCommand } from './commands/cancel.ts';
import { addGitCommand } from './commands/git.ts';
import { addClusterCommand } from './commands/cluster.ts';
import { addCompletionCommands } from './commands/completion.ts';
import { addDagsCommand } from './commands/dags.ts';
import { addDiffCommand } from './commands/diff.ts';
import { addDoctorCommand } from './commands/doctor.ts';
import { addDeployCommand } from './commands/deploy.ts';
import { addEditCommands } from './commands/edit-tasks.ts';
import { addImportCommand } from './commands/import.ts';
import { addInitCommand } from './commands/init.ts';
import { addJobsCommand } from './commands/jobs.ts';
import { addLogsCommand } from './commands/logs.ts';
import { addRetentionCommand } from './commands/retention.ts';
import { addApprovalCommands } from './commands/approvals.ts';
import { addNoteCommand } from './commands/note.ts';
import { addPauseCommands } from './commands/pause.ts';
import { addNextCommand } from './commands/next.ts';
import { addPoolCommand } from './commands/pool.ts';
import { addQueuesCommand } from './commands/queues.ts';
import { addRerunCommand } from './commands/rerun.ts';
import { addRoleCommands } from './commands/roles.ts';
import { addRunsCommand } from './commands/runs.ts';
import { addSecretsCommand } from './commands/secrets.ts';
import { addTestCommand } from './commands/test.ts';
import { addTokenCommand } from './commands/token.ts';
import { addTriggerCommand } from './commands/trigger.ts';
import { addVariableCommand } from './commands/variable.ts';
import { addVersionsCommand } from './commands/versions.ts';
import { addValidateCommand } from './commands/validate.ts';
import { addWorkersCommand } from './commands/workers.ts';
import { version } from './version.ts';

export function createProgram(): Command {
  const program = new Command('millrace')
    .description('A workflow service: DAGs, runs and their logs over GraphQL.')
    .version(version())
    .showHelpAfterError('(millrace --help lists the commands)');
  addRoleCommands(program);
  addInitCommand(program);
  addTestCommand(program);
  addValidateCommand(program);
  addDeployCommand(program);
  addImportCommand(program);
  addDagsCommand(program);
  addPauseCommands(program);
  addNextCommand(program);
  addDiffCommand(program);
  addVersionsCommand(program);
  addTriggerCommand(program);
  addRerunCommand(program);
  addRunsCommand(program);
  addLogsCommand(program);
  addRetentionCommand(program);
  addBackfillCommand(program);
  addVariableCommand(program);
  addConnectionCommand(program);
  addPoolCommand(program);
  addQueuesCommand(program);
  addClusterCommand(program);
  addGitCommand(program);
  addWorkersCommand(program);
  addAssetCommands(program);
  addSecretsCommand(program);
  addCancelCommand(program);
  addEditCommands(program);
  addJobsCommand(program);
  addApprovalCommands(program);
  addNoteCommand(program);
  addTokenCommand(program);
  addDoctorCommand(program);
  addCompletionCommands(program);
  return program;
}

export async function main(argv: string[]): Promise<void> {
  // They are for whoever develops this, who sees them in the tests.
  process.noDeprecation = true;
  // `millrace runs x | head`: the reader has left, which is no failure.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));
  try {
    await createProgram().parseAsync(argv);
  } catch (error) {
    process.stderr.write(`${describeFailure(error)}\n`);
    process.exitCode = error instanceof CommandError ? error.exitCode : 1;
  }
}

/** What a person can act on; the stack only where the program itself is at fault. */
function describeFailure(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error instanceof CommandError || error instanceof ConfigError) return error.message;
  const causes: string[] = [];
  for (let cause = error.cause; cause instanceof Error; cause = cause.cause) causes.push(`  because: ${cause.message}`);
  return [error.stack ?? error.message, ...causes].join('\n');
}
