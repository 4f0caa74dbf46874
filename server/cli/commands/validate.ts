import { relative, resolve } from 'node:path';
import type { Command } from 'commander';
import type { LoadError } from '../../bundles/bundle-source.ts';
import { loadDagFile } from '../../bundles/load-dag-file.ts';
import { CommandError } from '../command-error.ts';
import { filesOf } from '../dag-files.ts';
import { withExamples } from '../examples.ts';
import { describeLoadErrors } from '../../bundles/describe-load-errors.ts';
import { topOf } from '../load-file.ts';
import { printJson, printLine, printNote } from '../output.ts';

interface FileReport {
  file: string;
  dags: { dagId: string; tasks: number }[];
  errors: LoadError[];
}

export function addValidateCommand(program: Command): void {
  withExamples(
    program
      .command('validate')
      .description('load DAG files and say all that is wrong with them; needs no service')
      .argument('<path...>', 'TypeScript, YAML or JSON files, or folders of them')
      .option('--json', 'print JSON'),
    'millrace validate dags',
    'millrace validate dags/etl_daily.ts dags/ml_training.yaml --json',
  ).action((paths: string[], options: { json?: boolean }) => validate(paths, options.json === true));
}

/** Each load is a process of its own; more at once only wait for each other. */
const AT_ONCE = 2;

async function validate(paths: string[], json: boolean): Promise<void> {
  const files = [...new Set(paths.flatMap((path) => filesOf(resolve(path))))];
  if (files.length === 0) throw new CommandError(`There is no DAG file in ${paths.join(', ')}.`);
  const reports = await loadAll(files);
  addDuplicates(reports);
  const wrong = reports.filter((report) => report.errors.length > 0);
  if (json) printJson(reports.map(withRelativePaths));
  else reports.forEach(print);
  if (wrong.length === 0) return;
  throw new CommandError(
    `${wrong.length} of ${countOf(files.length, 'file')} ${wrong.length === 1 ? 'is' : 'are'} not valid.`,
  );
}

async function loadAll(files: string[]): Promise<FileReport[]> {
  const reports: FileReport[] = files.map((file) => ({ file, dags: [], errors: [] }));
  const next = reports.values();
  const loadSome = async () => {
    for (const report of next) {
      const { dags, errors } = await loadDagFile(report.file, topOf(report.file, process.cwd()));
      report.dags = dags.map(({ spec }) => ({ dagId: spec.dagId, tasks: spec.tasks.length }));
      report.errors = errors;
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, loadSome));
  return reports;
}

/** In one service a DAG has one file: of two that define it, the one that is loaded last would win. */
function addDuplicates(reports: FileReport[]): void {
  const fileOf = new Map<string, string>();
  for (const { file, dags, errors } of reports)
    for (const { dagId } of dags) {
      const first = fileOf.get(dagId);
      if (first === undefined) fileOf.set(dagId, file);
      else
        errors.push({
          message: `DAG '${dagId}' is defined in ${relative(process.cwd(), first) || first} already. Give one of them another id.`,
          file,
          line: null,
          column: null,
        });
    }
}

const countOf = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`;
const nameOf = (file: string): string => relative(process.cwd(), file) || file;

function print({ file, dags, errors }: FileReport): void {
  if (errors.length > 0) return printNote(describeLoadErrors(errors, process.cwd()));
  const found = dags.map(({ dagId, tasks }) => `${dagId} (${countOf(tasks, 'task')})`);
  printLine(`${nameOf(file)}: ${found.join(', ')}`);
}

const withRelativePaths = ({ file, dags, errors }: FileReport) => ({
  file: nameOf(file),
  dags,
  errors: errors.map((error) => ({ ...error, file: error.file === null ? null : nameOf(error.file) })),
});
