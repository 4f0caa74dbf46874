import { EXIT } from '../pod/exit-codes.ts';

/** The way in for Pods of tasks, beside `main`: without the command line, whose loading would take longer than the rest of their start. */
export async function podMain(command: string): Promise<void> {
  process.noDeprecation = true;
  process.on('uncaughtException', fail);
  try {
    await run(command);
  } catch (error) {
    fail(error);
  }
}

/** Not with the code of a task that failed. */
function fail(error: unknown): never {
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  process.exit(EXIT.internal);
}

async function run(command: string): Promise<void> {
  if (command === 'run-task') return (await import('./roles/run-task.ts')).runTask();
  if (command === 'collect-result') return (await import('./roles/collect-result.ts')).runCollectResult();
  throw new Error(`${command} does not run in the Pod of a task.`);
}
