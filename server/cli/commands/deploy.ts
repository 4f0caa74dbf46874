import { relative, resolve } from 'node:path';
import type { Command } from 'commander';
import type { ApiClient } from '../api-client.ts';
import { CommandError } from '../command-error.ts';
import { withClient, withConnection, type ConnectionOptions } from '../connect.ts';
import { filesOf } from '../dag-files.ts';
import { withExamples } from '../examples.ts';
import { loadFileOrFail } from '../load-file.ts';
import { FAILURE, mutate } from '../outcome.ts';
import { printJson, printLine, printNote } from '../output.ts';

const DEPLOY = /* GraphQL */ `
  mutation Deploy($input: DeployDagInput!) {
    deployDag(input: $input) {
      ...Failure
      ... on MutationDeployDagSuccess {
        data {
          created
          warnings
          dag {
            dagId
          }
          version {
            number
          }
        }
      }
    }
  }
  ${FAILURE}
`;

interface Deployed {
  created: boolean;
  warnings: string[];
  dag: { dagId: string };
  version: { number: number };
}

export function addDeployCommand(program: Command): void {
  const command = withConnection(
    program
      .command('deploy')
      .description('deploy the DAGs of a file or of a folder')
      .argument('<path>', 'TypeScript, YAML or JSON file, or a folder of them'),
  );
  withExamples(command, 'millrace deploy dags', 'millrace deploy dags/etl_daily.ts').action(
    (path: string, options: ConnectionOptions) =>
      withClient(options, (client) => deploy(client, path, options.json === true)),
  );
}

/** `../../x` says nothing to who was not here; the whole path does. */
const isOutside = (path: string) => path.startsWith('..');

/** Every file is tried, so that all that is wrong is said at once. */
async function deploy(client: ApiClient, path: string, json: boolean): Promise<void> {
  const files = filesOf(resolve(path));
  if (files.length === 0) throw new CommandError(`There is no DAG file in ${path}.`);
  const deployed: { dag: string; version: number; created: boolean; file: string }[] = [];
  let failures = 0;
  for (const file of files) {
    const name = relative(process.cwd(), file);
    try {
      for (const { dag, version, created, warnings } of await deployFile(client, file, isOutside(name) ? file : name)) {
        deployed.push({ dag: dag.dagId, version: version.number, created, file: name });
        if (!json) printLine(`${dag.dagId} version ${version.number}${created ? '' : ' (unchanged)'}`);
        for (const warning of warnings) printNote(`${dag.dagId}: ${warning}`);
      }
    } catch (error) {
      failures++;
      printNote((error as Error).message);
    }
  }
  if (json) printJson(deployed);
  if (failures > 0) throw new CommandError(`${failures} of ${files.length} files could not be deployed.`);
}

async function deployFile(client: ApiClient, file: string, path: string): Promise<Deployed[]> {
  const { dags } = await loadFileOrFail(file, process.cwd());
  const results: Deployed[] = [];
  for (const { spec, bundle } of dags) {
    const input = { spec, bundle: bundle?.archive.toString('base64'), source: 'cli', path };
    results.push(await mutate<Deployed>(client, DEPLOY, { input }, spec.dagId));
  }
  return results;
}
