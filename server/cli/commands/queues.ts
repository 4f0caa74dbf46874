import type { Command } from 'commander';
import type { ApiClient } from '../api-client.ts';
import { serviceCommand, type ConnectionOptions } from '../connect.ts';
import { FAILURE, mutate } from '../outcome.ts';
import { printJson, printLine, printTable } from '../output.ts';
import { listAll } from '../pages.ts';

const FIELDS = /* GraphQL */ `
  fragment QueueFields on Queue {
    name
    description
    paused
    pausedAt
    pausedBy
    figures {
      depth
      oldestSeconds
      running
      consumers
      slots
      freeSlots
    }
  }
`;
const QUEUES = /* GraphQL */ `
  query Queues($after: String) {
    queues(first: 200, after: $after) {
      edges {
        node {
          ...QueueFields
        }
      }
      pageInfo {
        endCursor
        hasNextPage
      }
    }
  }
  ${FIELDS}
`;
const SET = /* GraphQL */ `
  mutation SetQueue($input: SetQueueInput!) {
    setQueue(input: $input) {
      ...Failure
      ... on MutationSetQueueSuccess {
        data {
          ...QueueFields
        }
      }
    }
  }
  ${FAILURE}
  ${FIELDS}
`;
const PAUSE = /* GraphQL */ `
  mutation PauseQueue($input: PauseQueueInput!) {
    pauseQueue(input: $input) {
      ...Failure
      ... on MutationPauseQueueSuccess {
        data {
          ...QueueFields
        }
      }
    }
  }
  ${FAILURE}
  ${FIELDS}
`;
const RESUME = /* GraphQL */ `
  mutation ResumeQueue($input: ResumeQueueInput!) {
    resumeQueue(input: $input) {
      ...Failure
      ... on MutationResumeQueueSuccess {
        data {
          ...QueueFields
        }
      }
    }
  }
  ${FAILURE}
  ${FIELDS}
`;
const DELETE = /* GraphQL */ `
  mutation DeleteQueue($input: DeleteQueueInput!) {
    deleteQueue(input: $input) {
      ...Failure
      ... on MutationDeleteQueueSuccess {
        data {
          deletedName
        }
      }
    }
  }
  ${FAILURE}
`;

interface Queue {
  name: string;
  description: string | null;
  paused: boolean;
  pausedAt: string | null;
  pausedBy: string | null;
  figures: {
    depth: number;
    oldestSeconds: number | null;
    running: number;
    consumers: number;
    slots: number;
    freeSlots: number;
  };
}

export function addQueuesCommand(program: Command): void {
  const queues = program.command('queues').alias('queue').description('queues: where ready tasks wait for workers');
  const list = queues.command('list', { isDefault: true }).description('list the queues and what goes on in them');
  serviceCommand(list, print, 'millrace queues list', 'millrace queues list --json');
  const named = (name: string, about: string) => queues.command(name).description(about).argument('<name>', 'its name');
  serviceCommand(
    named('pause', 'keep the ready tasks of a queue back; those that run go on'),
    change(PAUSE),
    'millrace queues pause gpu',
    'millrace queues resume gpu',
  );
  serviceCommand(named('resume', 'let the tasks of a queue go on'), change(RESUME));
  serviceCommand(
    named('set', 'make a queue known, or say what it is for').option('--description <text>', 'what it is for'),
    change(SET),
  );
  serviceCommand(named('delete', 'forget a queue that nothing names, serves or stands in'), remove);
}

async function print(client: ApiClient, { json }: ConnectionOptions): Promise<void> {
  const queues = await listAll<Queue>(client, QUEUES);
  if (json) return printJson(queues);
  const rows = queues.map(({ name, paused, pausedBy, figures, description }) => ({
    name,
    paused: paused ? `by ${pausedBy}` : '',
    depth: figures.depth,
    oldest: figures.oldestSeconds === null ? '' : `${Math.round(figures.oldestSeconds)} s`,
    running: figures.running,
    workers: figures.consumers,
    free: `${figures.freeSlots}/${figures.slots}`,
    description,
  }));
  printTable(rows, 'No queues yet: the first task or worker that names one makes it.');
}

const change =
  (mutation: string) =>
  async (client: ApiClient, name: string, { description, json }: ConnectionOptions & { description?: string }) => {
    const queue = await mutate<Queue>(client, mutation, { input: { name, description } });
    if (json) return printJson(queue);
    const { depth, consumers } = queue.figures;
    printLine(
      `${queue.name}: ${queue.paused ? `paused by ${queue.pausedBy}` : 'open'}, ${depth} ready, ${consumers} workers`,
    );
  };

async function remove(client: ApiClient, name: string, { json }: ConnectionOptions): Promise<void> {
  const deleted = await mutate<{ deletedName: string }>(client, DELETE, { input: { name } });
  if (json) return printJson(deleted);
  printLine(`${deleted.deletedName} is gone`);
}
