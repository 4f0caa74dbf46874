import type { ApiClient } from './api-client.ts';
import { CommandError } from './command-error.ts';
import type { Page } from './pages.ts';

const TASKS = /* GraphQL */ `
  query RunTasks($runId: ID!, $after: String) {
    dagRun(runId: $runId) {
      taskInstances(first: 100, after: $after) {
        edges {
          node {
            id
            taskId
            mapIndex
            tryNumber
          }
        }
        pageInfo {
          hasNextPage
          endCursor
        }
      }
    }
  }
`;

export interface TaskInstance {
  id: string;
  taskId: string;
  mapIndex: number;
  tryNumber: number;
}
interface TasksPage {
  dagRun: {
    taskInstances: Page<TaskInstance>;
  } | null;
}

/** An instance by the name that people use: `load`, or `load[3]`. Of a mapped task the index may be given apart. */
export async function findTaskInstance(
  client: ApiClient,
  runId: string,
  name: string,
  givenIndex = -1,
): Promise<TaskInstance> {
  const [, taskId = name, index] = /^(.*?)(?:\[(\d+)\])?$/s.exec(name) ?? [];
  const mapIndex = index === undefined ? givenIndex : Number(index);
  for (let after: string | null = null; ;) {
    const page: TasksPage = await client.request<TasksPage>(TASKS, { runId, after });
    if (!page.dagRun) throw new CommandError(`There is no run ${runId}; "millrace runs <dag>" lists them.`);
    const { edges, pageInfo } = page.dagRun.taskInstances;
    const found = edges.find(({ node }) => node.taskId === taskId && node.mapIndex === mapIndex);
    if (found) return found.node;
    if (!pageInfo.hasNextPage) throw new CommandError(`Run ${runId} has no task "${name}".`);
    after = pageInfo.endCursor;
  }
}
