/**
 * The task of a container. The one place that decides what kind of task it becomes: everything that only a Pod can have is a finding
 * here.
 */
import type { TaskSpecInput } from '#sdk/dag-spec.ts';
import type { Fields } from './manifest-fields.ts';
import { escapeTemplate, scriptOf, shellOptions, shellWord, withReferences, withValues } from './shell.ts';

export interface ContainerTask {
  task: TaskSpecInput;
  /** What a reader of the DAG should know, a line each. */
  notes: string[];
}

/** Where a Pod that fails is started again: after 10 s, 20 s, 40 s … at most six minutes. */
export interface PodRetries {
  retries: number;
  /** Seconds a try may take; null: no limit. */
  timeout: number | null;
}

export function containerTask(container: Fields, upstream: string[], pod: PodRetries): ContainerTask {
  const taskId = (container.text('name') ?? 'main').replace(/[^A-Za-z0-9_.-]/g, '_');
  const image = container.text('image');
  const env = readEnv(container);
  const words = [...wordsOf(container, 'command'), ...wordsOf(container, 'args')];
  const written = container.take('command');
  const hasCommand = Array.isArray(written) && written.length > 0;
  const args = container.take('args');
  const notes = image === null ? [] : [`image: ${image}`];
  const command = hasCommand
    ? commandOf(words, new Set(Object.keys(env)), container.text('workingDir'))
    : unknownEntrypoint(container, image, args);
  if (image !== null)
    container.warn(`"${image}" is not run: what the command needs must be installed where the worker runs.`, 'image');
  const memoryLimit = readResources(container.object('resources'));
  container.ignoreDefaults({ terminationMessagePath: '/dev/termination-log', terminationMessagePolicy: 'File' });
  container.ignore('imagePullPolicy');
  const task: TaskSpecInput = {
    taskId,
    kind: 'bash',
    ...(upstream.length > 0 && { upstream }),
    command: escapeTemplate(command),
    ...(Object.keys(env).length > 0 && { env: mapValues(env, escapeTemplate) }),
    ...(memoryLimit !== null && { memoryLimit }),
    ...(pod.timeout !== null && { executionTimeout: pod.timeout }),
    ...(pod.retries > 0 && { retries: pod.retries, retryDelay: '10s', retryBackoff: 2, maxRetryDelay: '6m' }),
    // In Kubernetes every exit code but 0 is a failure.
    skipOnExitCode: null,
  };
  return { task, notes };
}

/** Reads without taking: `command` and `args` are taken where they are known to be used. */
function wordsOf(container: Fields, name: 'command' | 'args'): string[] {
  const value = container.peek(name);
  return Array.isArray(value) ? value.map(String) : [];
}

function commandOf(words: string[], variables: ReadonlySet<string>, folder: string | null): string {
  const script = scriptOf(words);
  const command =
    script === null
      ? words.map((word) => shellWord(word, variables)).join(' ')
      : `${shellOptions(words)}${withReferences(script, variables)}`;
  return folder === null ? command : `cd ${shellWord(folder, variables)}\n${command}`;
}

/** Only the image knows what it starts. Better a task that says so than one that does something else. */
function unknownEntrypoint(container: Fields, image: string | null, args: unknown): string {
  const words = Array.isArray(args) ? args.map(String) : [];
  container.warn('There is no command: what the image starts is not known. Write it into the task.', 'command');
  const what = [image ?? 'the image', ...words].join(' ').replaceAll("'", '');
  return `echo 'Write here what ${what} runs: its manifest has no command.' >&2; exit 1`;
}

const mapValues = (object: { [name: string]: string }, change: (value: string) => string) =>
  Object.fromEntries(Object.entries(object).map(([name, value]) => [name, change(value)]));

function readEnv(container: Fields): { [name: string]: string } {
  const env: { [name: string]: string } = {};
  for (const entry of container.list('env')) {
    const name = entry.text('name') ?? '';
    const value = entry.take('value');
    const source = entry.take('valueFrom');
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name))
      entry.warn(`"${name}" is not a name that a shell knows; it is left out.`);
    else if (source !== undefined)
      entry.warn(
        `${name} comes from ${sourceOf(source)}: give it to the worker, or as a variable or connection.`,
        'valueFrom',
      );
    else env[name] = withValues(String(value ?? ''), env);
  }
  return env;
}

function sourceOf(source: unknown): string {
  const [kind = '', reference = {}] =
    Object.entries((source ?? {}) as { [kind: string]: { name?: string; key?: string } })[0] ?? [];
  const place = [reference.name, reference.key].filter(Boolean).join('/');
  const names: { [kind: string]: string } = {
    secretKeyRef: 'the Secret',
    configMapKeyRef: 'the ConfigMap',
    fieldRef: 'a field of the Pod',
  };
  return [names[kind] ?? kind, place].filter(Boolean).join(' ');
}

const UNITS: { [unit: string]: number } = {
  '': 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
};
const LEAST_MEMORY = 2 ** 20;

/** The limit of memory holds for a task as well; other resources are the worker's matter. */
function readResources(resources: Fields): string | number | null {
  const limits = resources.object('limits');
  const written = limits.take('memory');
  if (written === undefined) return null;
  const [, amount, unit = ''] = /^(\d+(?:\.\d+)?)([kMGT]i?|Ki)?$/.exec(String(written)) ?? [];
  const bytes = amount === undefined || !(unit in UNITS) ? NaN : Math.round(Number(amount) * UNITS[unit]!);
  if (!(bytes >= LEAST_MEMORY)) {
    limits.warn(`"${String(written)}" is not a size that a task can have; it is left out.`, 'memory');
    return null;
  }
  return unit.endsWith('i') && unit !== 'Ki' ? String(written) : bytes;
}
