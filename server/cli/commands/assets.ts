import type { Command } from 'commander';
import type { Json } from '#sdk/protocol.ts';
import type { ApiClient } from '../api-client.ts';
import { withClient, withConnection, type ConnectionOptions } from '../connect.ts';
import { withExamples } from '../examples.ts';
import { jsonObject } from '../json-option.ts';
import { FAILURE, mutate } from '../outcome.ts';
import { printJson, printLine, printTable } from '../output.ts';
import { listAll } from '../pages.ts';

const ASSETS = /* GraphQL */ `
  query Assets($search: String, $after: String) {
    assets(search: $search, after: $after, first: 50) {
      edges {
        node {
          name
          producers {
            dag {
              dagId
            }
            taskId
          }
          consumers {
            dagId
          }
          lastEvent {
            at
          }
        }
      }
      pageInfo {
        hasNextPage
        endCursor
      }
    }
  }
`;
const EMIT = /* GraphQL */ `
  mutation EmitAsset($input: CreateAssetEventInput!) {
    createAssetEvent(input: $input) {
      ...Failure
      ... on MutationCreateAssetEventSuccess {
        data {
          eventId
          at
          asset {
            name
          }
        }
      }
    }
  }
  ${FAILURE}
`;

interface AssetInfo {
  name: string;
  producers: { dag: { dagId: string }; taskId: string }[];
  consumers: { dagId: string }[];
  lastEvent: { at: string } | null;
}
interface ListOptions extends ConnectionOptions {
  search?: string;
}
interface EmitOptions extends ConnectionOptions {
  extra?: { [name: string]: Json };
  key?: string;
}

export function addAssetCommands(program: Command): void {
  withConnection(
    program
      .command('assets')
      .description('list the assets, who updates them and who waits for them')
      .option('--search <text>', 'only with this in the name'),
  ).action((options: ListOptions) => withClient(options, (client) => list(client, options)));
  const asset = program.command('asset').description('one asset');
  const emitting = withConnection(
    asset
      .command('emit')
      .description('say that an asset was updated: DAGs that wait for it run')
      .argument('<name>', 'its name')
      .option('--extra <json>', 'an object to say with it', jsonObject)
      .option('--key <text>', 'with the same key it counts once, however often it is said'),
  );
  withExamples(
    emitting,
    'millrace assets',
    `millrace asset emit shop/orders --extra '{"file": "2026-01-31.csv"}' --key 2026-01-31`,
  ).action((name: string, options: EmitOptions) => withClient(options, (client) => emit(client, name, options)));
}

async function list(client: ApiClient, { json, search }: ListOptions): Promise<void> {
  const assets = await listAll<AssetInfo>(client, ASSETS, { search });
  if (json) return printJson(assets);
  const rows = assets.map(({ name, producers, consumers, lastEvent }) => ({
    name,
    'updated by': producers.map(({ dag, taskId }) => `${dag.dagId}.${taskId}`).join(', '),
    'waited for by': consumers.map(({ dagId }) => dagId).join(', '),
    'last update': lastEvent?.at ?? null,
  }));
  printTable(rows, 'No assets yet: a task names those that it updates in its outlets.');
}

async function emit(client: ApiClient, asset: string, { json, extra, key }: EmitOptions): Promise<void> {
  const input = { asset, extra, idempotencyKey: key };
  const event = await mutate<{ eventId: string; at: string; asset: { name: string } }>(client, EMIT, { input });
  if (json) return printJson(event);
  printLine(`${event.asset.name} was updated at ${event.at}: event ${event.eventId}`);
}
