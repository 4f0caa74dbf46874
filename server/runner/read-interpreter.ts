import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { PackagesError } from './build-env.ts';

const READ = 'import sys; print(sys.version, sys.platform, sys.base_prefix)';
const READ_MS = 30_000;
const known = new Map<string, Promise<string>>();

/** What of an interpreter an environment depends on: its version and where it lies. Asked once. */
export function readInterpreter(command: string, env: { [name: string]: string }): Promise<string> {
  const asked = known.get(command) ?? ask(command, env);
  known.set(command, asked);
  asked.catch(() => known.delete(command));
  return asked;
}

async function ask(command: string, env: { [name: string]: string }): Promise<string> {
  try {
    const { stdout } = await promisify(execFile)(command, ['-I', '-c', READ], { env, timeout: READ_MS });
    return `${command} ${stdout.trim()}`;
  } catch (error) {
    throw new PackagesError(`${command} could not be started (${(error as Error).message})`, 'start_failed', false);
  }
}
