/** The way in for Pods of tasks, beside `main`: without the command line, whose loading would take longer than the rest of their start. */
export async function podMain(command: string): Promise<void> {
  process.noDeprecation = true;
  if (command === 'run-task') return (await import('./roles/run-task.ts')).runTask();
  throw new Error(`${command} does not run in the Pod of a task.`);
}
