import { randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { TaskSpec } from '#sdk/dag-spec.ts';
import type { Dispatch, LogChunk, RunContext, TaskReport, XComValue } from '#sdk/protocol.ts';
import {
  createSupervisorClient,
  type RunnerEvent,
  type SupervisorClientOptions,
} from '#server/runner/supervisor-client.ts';
import type { ResultFile } from '#server/runner/large-results.ts';
import { waitFor } from './wait-for.ts';

type OneKind<Spec> = Spec extends TaskSpec ? Partial<Spec> & Pick<Spec, 'kind'> : never;
/** A task with defaults for all that is not said. */
export type TaskInput = OneKind<TaskSpec>;

const BASE = {
  taskId: 'task',
  upstream: [],
  triggerRule: 'all_success',
  retries: 0,
  retryDelay: 0,
  retryBackoff: 1,
  maxRetryDelay: null,
  executionTimeout: null,
  queue: 'default',
  priority: 0,
  memoryLimit: null,
  owner: null,
  docs: null,
  inputs: {},
  variables: [],
  connections: [],
  outlets: [],
  group: null,
  map: null,
  setup: false,
  teardown: null,
  edgeLabels: {},
  displayName: null,
} as const;
const DECISION = { runtime: 'typescript', callable: null, source: null, args: {} };
const OF_KIND = {
  empty: {},
  bash: { command: 'true', env: {}, skipOnExitCode: 99 },
  python: { callable: null, source: null, args: {} },
  typescript: {},
  branch: { ...DECISION, choose: [], targets: {} },
  short_circuit: { ...DECISION, condition: null, ignoreTriggerRules: true },
  latest_only: {},
  map: {},
  http: {
    method: 'GET',
    url: null,
    connection: null,
    path: null,
    headers: {},
    query: {},
    json: null,
    form: null,
    body: null,
    timeout: 60,
    requestRetries: 3,
    requestRetryDelay: 0.01,
    retryOn: ['429', '5xx'],
    retryUnsafe: false,
    maxRedirects: 5,
    verifyTls: true,
    expect: { status: ['2xx'], json: {}, bodyMatches: null },
    result: 'auto',
    pagination: null,
  },
  sql: {
    connection: 'db',
    sql: [],
    file: null,
    parameters: [],
    autocommit: false,
    result: 'rows',
    maxRows: 10_000,
    load: null,
    unload: null,
  },
  pod: {},
  resource: {},
  sensor: {
    mode: 'poke',
    pokeInterval: 0.05,
    pokeBackoff: 1,
    maxWait: 3600,
    timeout: 604_800,
    softFail: false,
    pokeError: 'fail',
  },
  trigger_dag: {},
  approval: {},
};

export interface DispatchExtras {
  run?: Partial<RunContext>;
  xcoms?: XComValue[];
  previousSuccess?: Dispatch['previousSuccess'];
  variables?: Dispatch['variables'];
  connections?: Dispatch['connections'];
  secrets?: string[];
  unreadable?: Dispatch['unreadable'];
  bundleHash?: string | null;
  mapItem?: Dispatch['mapItem'];
  mapName?: string | null;
  downstream?: string[];
}

export function makeDispatch(task: TaskInput, extras: DispatchExtras = {}): Dispatch {
  const {
    run,
    xcoms = [],
    previousSuccess = null,
    variables = {},
    connections = {},
    secrets = [],
    unreadable = {},
    bundleHash = null,
    mapItem = null,
    mapName = null,
    downstream = [],
  } = extras;
  return {
    dispatchId: `1.0.-1.${randomUUID()}`,
    dagId: 'dag',
    taskId: task.taskId ?? BASE.taskId,
    mapIndex: mapItem === null ? -1 : 0,
    tryNumber: 1,
    maxTries: 3,
    versionId: '1',
    bundleHash,
    task: { ...BASE, ...OF_KIND[task.kind], ...task } as TaskSpec,
    run: {
      runId: '1',
      runKey: 'manual__1',
      kind: 'manual',
      logicalDate: '2026-01-02T03:04:05.000Z',
      dataIntervalStart: '2026-01-01T00:00:00.000Z',
      dataIntervalEnd: '2026-01-02T00:00:00.000Z',
      conf: {},
      params: {},
      startedAt: null,
      triggeredBy: null,
      ...run,
    },
    xcoms,
    previousSuccess,
    variables,
    connections,
    secrets,
    unreadable,
    waiting: null,
    mapItem,
    mapName,
    downstream,
    token: 'secret-token',
  };
}

export interface Finished {
  report: TaskReport;
  chunks: LogChunk[];
  /** Without times: `o text`. */
  lines: string[];
  /** Large results. */
  files: { [key: string]: ResultFile } | undefined;
}

/** A supervisor with its client, in a folder of its own. */
export function startRunner(options: Partial<SupervisorClientOptions> = {}) {
  const home = mkdtempSync(join(tmpdir(), 'millrace-runner-'));
  const events: RunnerEvent[] = [];
  const client = createSupervisorClient({
    home,
    graceMs: 500,
    fetchBundleDir: (hash) => Promise.resolve(join(home, 'bundles', hash)),
    onEvent: (event) => events.push(event),
    environment: { PATH: `${dirname(process.execPath)}:/usr/local/bin:/usr/bin:/bin`, HOME: home },
    ...options,
  });
  const chunksOf = (dispatchId: string) =>
    events.flatMap((event) => (event.type === 'log' && event.chunk.dispatchId === dispatchId ? [event.chunk] : []));
  const linesOf = (dispatchId: string) =>
    chunksOf(dispatchId)
      .map((chunk) => chunk.body)
      .join('')
      .split('\n')
      .slice(0, -1)
      .map((line) => line.slice(25));
  const reportOf = (dispatchId: string) =>
    events.flatMap((event) =>
      event.type === 'finished' && event.report.dispatchId === dispatchId ? [event.report] : [],
    )[0];

  const finished = async (dispatchId: string, timeoutMs = 15_000): Promise<Finished> => {
    const report = await waitFor(() => reportOf(dispatchId), { what: `the report of ${dispatchId}`, timeoutMs });
    const files = events.find((event) => event.type === 'finished' && event.report === report);
    return {
      report,
      chunks: chunksOf(dispatchId),
      lines: linesOf(dispatchId),
      files: files?.type === 'finished' ? files.files : undefined,
    };
  };
  return {
    home,
    client,
    events,
    linesOf,
    finished,
    /** Writes files of a bundle; returns its hash. */
    bundle(files: { [path: string]: string }): string {
      const hash = randomUUID();
      for (const [path, text] of Object.entries(files)) {
        const file = join(home, 'bundles', hash, path);
        mkdirSync(dirname(file), { recursive: true });
        writeFileSync(file, text);
      }
      return hash;
    },
    start(task: TaskInput, extras?: DispatchExtras): string {
      const dispatch = makeDispatch(task, extras);
      client.start(dispatch);
      return dispatch.dispatchId;
    },
    run(task: TaskInput, extras?: DispatchExtras): Promise<Finished> {
      return finished(this.start(task, extras));
    },
    started: (dispatchId: string) =>
      waitFor(() => events.some((event) => event.type === 'started' && event.dispatchId === dispatchId), {
        what: `the start of ${dispatchId}`,
      }),
    async stop() {
      await client.stop();
      rmSync(home, { recursive: true, force: true });
    },
  };
}

/** The text of a bundle's module whose DAG `dag` has these functions: source of each by task id. */
export function tsBundle(handlers: { [taskId: string]: string }, head = ''): { [path: string]: string } {
  const list = Object.entries(handlers).map(([taskId, source]) => `${JSON.stringify(taskId)}: ${source}`);
  return {
    'dag.mjs': `${head}\nexport default { millraceDag: 1, spec: { dagId: 'dag' }, files: [], parseParams: null, handlers: {\n${list.join(',\n')}\n} };\n`,
  };
}
