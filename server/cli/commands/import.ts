import { writeFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { validateDagSpec } from '#sdk/validate-dag-spec.ts';
import { CommandError } from '../command-error.ts';
import { cronJobDag, type ImportedDag } from '../cronjob/cronjob-dag.ts';
import { readManifests } from '../cronjob/read-manifests.ts';
import { writeDags } from '../cronjob/write-dags.ts';
import { withExamples } from '../examples.ts';
import { printJson, printNote } from '../output.ts';
import { readText } from '../values-file.ts';

interface ImportOptions {
  out?: string;
  json?: boolean;
}

export function addImportCommand(program: Command): void {
  const parent = program.command('import').description('DAGs from what other systems run');
  withExamples(
    parent
      .command('cronjob')
      .description('turn CronJob manifests of Kubernetes into DAGs; says what could not be carried over')
      .argument('<file>', 'YAML or JSON, of several documents or lists too; - is standard input')
      .option('--out <file>', 'where to write the DAGs; standard output unless given')
      .option('--json', 'print JSON'),
    'millrace import cronjob nightly-report.yaml --out dags/nightly_report.yaml',
    'kubectl get cronjobs -o yaml | millrace import cronjob - --out dags/cronjobs.yaml',
  ).action(importCronJobs);
}

async function importCronJobs(file: string, { out, json }: ImportOptions): Promise<void> {
  const text = await readText(file);
  const { cronJobs, findings } = readManifests(text, file === '-' ? 'standard input' : file);
  for (const { path, message } of findings) printNote(`${path}: ${message}`);
  if (cronJobs.length === 0) throw new CommandError(`There is no CronJob in ${file}.`);
  const dags = withOwnNames(cronJobs.map(cronJobDag), cronJobs.map(namespaceOf));
  dags.forEach(check);
  const twice = dags.find(({ spec }, index) => dags.findIndex((dag) => dag.spec.dagId === spec.dagId) < index);
  if (twice) throw new CommandError(`${file} has two CronJobs for the DAG ${twice.spec.dagId}: take one of them out.`);
  if (!json)
    for (const { spec, findings: lost } of dags)
      for (const { path, message } of lost) printNote(`${spec.dagId}: ${path}: ${message}`);
  const written = writeDags(dags);
  if (out !== undefined) await writeNew(out, written);
  if (json) return printJson(dags.map(({ spec, findings: warnings }) => ({ spec, warnings })));
  if (out === undefined) process.stdout.write(written);
  else
    printNote(
      `${out}: ${dags.map(({ spec }) => spec.dagId).join(', ')}. Look at what was left out, then "millrace validate ${out}".`,
    );
}

async function writeNew(file: string, text: string): Promise<void> {
  await writeFile(file, text, { flag: 'wx' }).catch((cause: NodeJS.ErrnoException) => {
    const reason = cause.code === 'EEXIST' ? 'it is there already. Move it away, or give another name.' : cause.message;
    throw new CommandError(`Cannot write ${file}: ${reason}`, { cause });
  });
}

const namespaceOf = (manifest: { [key: string]: unknown }): string =>
  String((manifest['metadata'] as { namespace?: unknown } | undefined)?.namespace ?? 'default');

/** The same name in two namespaces: both get their namespace before it. */
function withOwnNames(dags: ImportedDag[], namespaces: string[]): ImportedDag[] {
  const count = (dagId: string) => dags.filter(({ spec }) => spec.dagId === dagId).length;
  return dags.map((dag, index) => {
    const { dagId } = dag.spec;
    return count(dagId) === 1 ? dag : { ...dag, spec: { ...dag.spec, dagId: `${namespaces[index]}.${dagId}` } };
  });
}

function check({ spec }: ImportedDag): void {
  const result = validateDagSpec(spec);
  if (result.ok) return;
  const issues = result.issues.map(({ path, message }) => `  ${path}: ${message}`);
  throw new CommandError([`CronJob ${spec.dagId} does not make a DAG:`, ...issues].join('\n'));
}
