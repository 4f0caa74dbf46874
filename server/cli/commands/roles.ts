import type { Command } from 'commander';

/** Each role is imported when asked for: `millrace dags` must not load a server. */
export function addRoleCommands(program: Command): void {
  program
    .command('migrate')
    .description('bring the database schema up to date')
    .action(async () => (await import('../roles/migrate.ts')).runMigrate());
  program
    .command('scheduler')
    .description('create due runs, wake retries, end expired leases')
    .action(async () => (await import('../roles/scheduler.ts')).runScheduler());
}
