import type { Json } from '#sdk/protocol.ts';
import type { Prepare } from './launch.ts';
import { inputsOf } from './inputs.ts';

const asVariable = (value: Json): string =>
  value === null ? '' : typeof value === 'string' ? value : JSON.stringify(value);

/** Inputs are environment variables; an `env` entry of the same name wins. */
export const prepareBash: Prepare<'bash'> = (task, dispatch, render) => ({
  how: 'shell',
  command: render('command', task.command),
  env: {
    ...Object.fromEntries(Object.entries(inputsOf(dispatch)).map(([name, value]) => [name, asVariable(value)])),
    ...Object.fromEntries(Object.entries(task.env).map(([name, value]) => [name, render(`env.${name}`, value)])),
  },
  skipOnExitCode: task.skipOnExitCode,
});
