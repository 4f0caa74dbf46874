import type { Dispatch, Json } from '#sdk/protocol.ts';
import type { Prepare } from './launch.ts';
import { findXComs } from '#sdk/xcom-values.ts';
import { inputsOf, isLargeInput } from './inputs.ts';

export const asVariable = (value: Json): string =>
  value === null ? '' : typeof value === 'string' ? value : JSON.stringify(value);

/** Linux takes no variable of more than 128 KiB. */
export const MOST_IN_VARIABLE = 100_000;

/** A result too large for a variable: `NAME_FILE` is the file with its JSON. Of a mapped task: the files, a line each. */
function fileVariables(dispatch: Dispatch): { [name: string]: string } {
  const large = Object.entries(dispatch.task.inputs).filter(([name]) => isLargeInput(dispatch, name, MOST_IN_VARIABLE));
  return Object.fromEntries(
    large.map(([name, { task, key }]) => {
      const files = findXComs(dispatch.xcoms, task, key).map(({ artifact }) => artifact?.path ?? '');
      return [`${name}_FILE`, files.join('\n')];
    }),
  );
}

/** Inputs are environment variables; an `env` entry of the same name wins. */
export const prepareBash: Prepare<'bash'> = (task, dispatch, render) => ({
  how: 'shell',
  command: render('command', task.command),
  env: {
    ...Object.fromEntries(
      Object.entries(inputsOf(dispatch, MOST_IN_VARIABLE)).map(([name, value]) => [name, asVariable(value)]),
    ),
    ...fileVariables(dispatch),
    ...Object.fromEntries(Object.entries(task.env).map(([name, value]) => [name, render(`env.${name}`, value)])),
  },
  skipOnExitCode: task.skipOnExitCode,
});
