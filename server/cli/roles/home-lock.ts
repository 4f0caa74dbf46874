import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CommandError } from '../command-error.ts';
import { readServiceFile } from '../service-file.ts';

/** One `millrace start` per home: a second one would adopt the first one's PostgreSQL and stop it. Returns the release. */
export async function lockHome(home: string): Promise<() => Promise<void>> {
  const file = join(home, 'start.pid');
  for (;;) {
    try {
      await writeFile(file, `${process.pid}\n`, { flag: 'wx', mode: 0o600 });
      return () => rm(file, { force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const holder = Number(await readFile(file, 'utf8').catch(() => ''));
    if (await isRunningStart(holder)) {
      const service = await readServiceFile(home);
      const where = service ? ` at ${service.url}` : '';
      throw new CommandError(
        `Millrace runs already${where} (process ${holder}). Stop it first, or set another MILLRACE_HOME.`,
      );
    }
    await rm(file, { force: true });
  }
}

/** After a SIGKILL the id may belong to another program, or, in a restarted container, to this very process. */
async function isRunningStart(pid: number): Promise<boolean> {
  if (!(pid > 0) || pid === process.pid) return false;
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
  }
  if (process.platform !== 'linux') return true;
  const commandLine = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
  return commandLine.split('\0').includes('start');
}
