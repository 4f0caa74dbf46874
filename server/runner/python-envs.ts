/** Virtual environments with the packages that bundles ask for: one per content of their requirements.txt, kept by its hash. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { createFolderCache } from '../bundles/folder-cache.ts';
import { REQUIREMENTS } from '../bundles/python-requirements.ts';
import { countPackages, readsFiles } from '../bundles/requirement-lines.ts';
import { buildEnv } from './build-env.ts';
import type { SupervisorConfig } from './messages.ts';
import { readInterpreter } from './read-interpreter.ts';
import type { SupervisedTask } from './supervised-task.ts';

export interface PythonEnvs {
  /**
   * The environment of a task, made when it is not there yet; null when its bundle asks for none. It stays until it is released.
   * `folder` rejects when it cannot be made, and as soon as the task has left.
   */
  of(task: SupervisedTask, command: string, left: AbortSignal): { folder: Promise<string>; release(): void } | null;
  interpreterOf(folder: string): { command: string; environment: { [name: string]: string } };
}

/** An environment that tasks wait for, or look for. */
interface Wanted {
  command: string;
  bundleDir: string;
  text: string;
  installing: boolean;
  /** Who hears of it. */
  waiting: Set<SupervisedTask>;
  asking: number;
}

export function createPythonEnvs(config: SupervisorConfig): PythonEnvs {
  const { dir, limit } = config.packages;
  const wanted = new Map<string, Wanted>();
  const cache = createFolderCache({ dir, limit }, async (hash, draft, target) => {
    const env = wanted.get(hash);
    if (!env) throw new Error(`Nobody has asked for the environment ${hash}.`);
    const { command, bundleDir, text, waiting } = env;
    env.installing = true;
    const startedAt = performance.now();
    for (const { log } of waiting) log.system(`Installing ${packagesOf(text)}.`);
    const print = (line: string) => {
      for (const { log } of waiting) log.write('o', `${line}\n`);
    };
    await buildEnv({ command, bundleDir, draft, target, config, print });
    const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1);
    for (const { log } of waiting) log.system(`Installed in ${seconds} s.`);
  });

  const open = async (task: SupervisedTask, bundleDir: string, command: string, left: AbortSignal) => {
    const text = await readFile(join(bundleDir, REQUIREMENTS), 'utf8');
    const hash = await hashOf(config, { text, command, bundleHash: task.dispatch.bundleHash });
    left.throwIfAborted();
    const env = wanted.get(hash) ?? { command, bundleDir, text, installing: false, waiting: new Set(), asking: 0 };
    wanted.set(hash, env);
    env.waiting.add(task);
    env.asking += 1;
    left.addEventListener('abort', () => env.waiting.delete(task));
    if (env.installing) task.log.system(`Waiting: another task is installing ${packagesOf(text)}.`);
    try {
      return await cache.dirOf(hash, task.dispatch.dispatchId);
    } finally {
      env.waiting.delete(task);
      env.asking -= 1;
      if (env.asking === 0) wanted.delete(hash);
    }
  };

  return {
    of(task, command, left) {
      const { bundleDir, dispatch } = task;
      if (bundleDir === null || !existsSync(join(bundleDir, REQUIREMENTS))) return null;
      const release = () => cache.release(dispatch.dispatchId);
      const folder = Promise.race([open(task, bundleDir, command, left), untilAborted(left)]);
      folder.catch(release);
      return { folder, release };
    },
    interpreterOf: (folder) => ({
      command: join(folder, 'bin', 'python'),
      environment: {
        ...config.environment,
        VIRTUAL_ENV: folder,
        PATH: [join(folder, 'bin'), config.environment['PATH']].filter(Boolean).join(delimiter),
      },
    }),
  };
}

interface EnvContent {
  text: string;
  command: string;
  bundleHash: string | null;
}

/** Of all that decides what is in the environment: of the bundle too, when pip reads other files of it. */
async function hashOf(
  { environment, packages: { pipArgs } }: SupervisorConfig,
  { text, command, bundleHash }: EnvContent,
): Promise<string> {
  const interpreter = await readInterpreter(command, environment);
  const bundle = readsFiles(`${text}\n${pipArgs.join(' ')}`) ? bundleHash : null;
  return createHash('sha256')
    .update(JSON.stringify([text, interpreter, pipArgs, bundle]))
    .digest('hex');
}

function packagesOf(text: string): string {
  const count = countPackages(text);
  return `the ${count === 1 ? 'package' : `${count} packages`} of ${REQUIREMENTS}`;
}

const untilAborted = (signal: AbortSignal): Promise<never> =>
  new Promise((_resolve, reject) => {
    const left = () => reject(signal.reason as Error);
    if (signal.aborted) left();
    else signal.addEventListener('abort', left);
  });
