import { InvalidArgumentError, type Command } from 'commander';
import type { Json } from '#sdk/protocol.ts';
import { withExamples } from '../examples.ts';
import { jsonObject, jsonValue } from '../json-option.ts';
import type { TrialOptions } from '../trial/run-trial.ts';

export function addTestCommand(program: Command): void {
  withExamples(
    program
      .command('test')
      .description(
        'run a DAG in the terminal, with no service: exit status 0 success, 2 failed, 3 cancelled, 1 this command failed',
      )
      .argument('<path>', 'DAG file, or a folder of them')
      .option('--dag <id>', 'which DAG, where there are several')
      .option('--task <id>', 'only this task')
      .option('--upstream', 'with --task: and all that it depends on')
      .option('--input <name=json>', 'with --task: a result that the task takes; may be given again', collectInput)
      .option('--conf <json>', 'configuration of the run, overlaid on the params of the DAG', jsonObject)
      .option('--date <date>', 'logical date of the run; now unless given')
      .option(
        '--decide <task=option>',
        'what an approval is answered; may be given again. Else you are asked',
        collectOption,
      )
      .option('--form <task=json>', 'with --decide: what is filled in', collectInput)
      .option('--variables <file>', 'JSON or YAML with the variables that tasks read')
      .option('--connections <file>', 'JSON or YAML with the connections that tasks use')
      .option('--try-all', 'retry failed tasks as in production, with its delays; else each task has one try')
      .option('--json', 'print JSON, an object per line'),
    'millrace test dags/etl_daily.ts',
    `millrace test dags/etl_daily.ts --conf '{"lateAfter": 30}' --date 2026-01-31`,
    'millrace test dags/release.ts --decide ship_it=ship',
    `millrace test dags/hello.ts --task say --input GREETING='"Hello, you"'`,
  ).action(async (path: string, options: TrialOptions) =>
    (await import('../trial/run-trial.ts')).runTrial(path, options),
  );
}

function collectOption(text: string, before: { [task: string]: string } = {}): { [task: string]: string } {
  const [, task, option] = /^([^=]+)=(.+)$/s.exec(text) ?? [];
  if (task === undefined) throw new InvalidArgumentError('Write task=option.');
  return { ...before, [task]: option ?? '' };
}

function collectInput(text: string, before: { [name: string]: Json } = {}): { [name: string]: Json } {
  const [, name, value] = /^([^=]+)=(.*)$/s.exec(text) ?? [];
  if (name === undefined) throw new InvalidArgumentError('Write name=json.');
  return { ...before, [name]: jsonValue(value ?? '') };
}
