import { availableParallelism, homedir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { didYouMean } from '#sdk/near-match.ts';
import { BROKER_VARIABLES, brokerConfig, brokerMistakes } from './config-broker.ts';
import { CLUSTER_VARIABLES, clusterConfig, clusterMistakes } from './config-cluster.ts';
import { GIT_VARIABLES, gitConfig } from './config-git.ts';
import { boolean, httpUrl, path, postgresUrl, secretKey, text, wholeNumber } from './config-values.ts';
import { LOG_VARIABLES, logStoreConfig, logStoreMistakes } from './config-logs.ts';
import { WORKER_VARIABLES } from './config-worker.ts';
import { RETENTION_VARIABLES, retentionConfig } from './config-retention.ts';
import { LOG_FORMATS, LOG_LEVELS } from './log-options.ts';
import { pipEnvironment, podTaskEnvironment, taskEnvironment } from './runner/task-environment.ts';

export const ROLES = ['start', 'server', 'scheduler', 'worker', 'migrate', 'test', 'client', 'run-task'] as const;
/**
 * What this process is: decides which variables it cannot do without. `client` is every command that speaks GraphQL, `run-task` is
 * what runs inside the Pod of a task.
 */
export type ConfigRole = (typeof ROLES)[number];

/** A person looks at what these print. */
const FOR_PEOPLE: ReadonlySet<ConfigRole> = new Set(['start', 'test', 'client']);

interface Variable {
  schema: z.ZodType;
  about: string;
  /** Shown in the manual. */
  fallback?: string;
  requiredBy?: ConfigRole[];
}

/** Every variable there is, in the manual's order. */
export const VARIABLES = {
  MILLRACE_HOME: {
    schema: path,
    about:
      'Folder of all that a process keeps: embedded PostgreSQL, bundle cache, key, address of the running service.',
    fallback: '`/tmp/millrace` in the Pod of a task, `/var/lib/millrace` for root, else `~/.local/share/millrace`',
  },
  MILLRACE_HOST: { schema: text.min(1), about: 'Address of the API and the page.', fallback: '`127.0.0.1`' },
  MILLRACE_PORT: { schema: wholeNumber(0, 65_535), about: 'Their port; 0 takes a free one.', fallback: '`4400`' },
  MILLRACE_PUBLIC_URL: {
    schema: httpUrl,
    about:
      'Address under which browsers reach the page, where a proxy stands in front. Origins are checked against it.',
  },
  MILLRACE_GRAPHIQL: { schema: boolean, about: 'GraphiQL at /graphql.', fallback: '`true` for `start`, else `false`' },
  MILLRACE_METRICS_PORT: {
    schema: wholeNumber(0, 65_535),
    about:
      'Port of [metrics](metrics.md) for Prometheus, of `start`, `server` and `scheduler`, on MILLRACE_HOST. Whoever reaches it may read them, without signing in. 0: none.',
    fallback: '`0`',
  },
  DATABASE_URL: {
    schema: postgresUrl,
    about: 'PostgreSQL 15 or newer. `start` brings its own when this is not set.',
    requiredBy: ['server', 'scheduler', 'migrate'],
  },
  MILLRACE_DATABASE_CONNECTIONS: {
    schema: wholeNumber(2, 1_000),
    about: 'Largest number of connections per process.',
    fallback: '`10`',
  },
  ...BROKER_VARIABLES,
  MILLRACE_SECRET_KEY: {
    schema: secretKey,
    about:
      'Key of all secrets at rest and of runner tokens: 32 bytes in hex or base64. `start` makes one and keeps it in MILLRACE_HOME.',
    requiredBy: ['server', 'scheduler'],
  },
  MILLRACE_OLD_SECRET_KEYS: {
    schema: text.transform((value) => value.split(',').map((key) => key.trim())).pipe(z.array(secretKey)),
    about:
      'Former secret keys, with commas between them: they still open what is stored under them. Gone once `millrace secrets rewrap` has run.',
  },
  MILLRACE_DAGS: {
    schema: path,
    about: 'Folder of DAG files that `start` loads and watches.',
    fallback: '`dags` in the current folder, if there',
  },
  ...CLUSTER_VARIABLES,
  ...GIT_VARIABLES,
  MILLRACE_LOG_LEVEL: { schema: z.enum(LOG_LEVELS), about: `One of ${LOG_LEVELS.join(', ')}.`, fallback: '`info`' },
  MILLRACE_LOG_FORMAT: {
    schema: z.enum(LOG_FORMATS),
    about: 'One of text, json.',
    fallback: '`text` for `start`, else `json`',
  },
  ...LOG_VARIABLES,
  ...RETENTION_VARIABLES,
  MILLRACE_SHUTDOWN_SECONDS: {
    schema: wholeNumber(0, 86_400),
    about: 'Time for running tasks once asked to stop; those that are left then are interrupted and run again.',
    fallback: '`10` for `start`, `30` in the Pod of a task, else `60`',
  },
  ...WORKER_VARIABLES,
  MILLRACE_WAREHOUSE_URL: {
    schema: postgresUrl,
    about: 'Given to tasks as it is: the database that DAGs write their tables to.',
    fallback: 'a database of its own for `start` with its embedded PostgreSQL',
  },
  MILLRACE_PYTHON: { schema: text.min(1), about: 'Interpreter of python tasks.', fallback: '`python3`' },
  MILLRACE_PIP_ARGS: {
    schema: text.transform((value) => value.split(/\s+/)),
    about:
      'Arguments of `pip install` for the [packages](deploying.md#python-packages) of python tasks, with spaces between them, such as `--index-url https://pypi.example.com/simple`.',
    fallback: 'none',
  },
  MILLRACE_URL: {
    schema: httpUrl,
    about: 'Address of the API for commands, workers and the Pods of tasks.',
    requiredBy: ['worker', 'run-task'],
    fallback: 'what `start` left in MILLRACE_HOME',
  },
  MILLRACE_TOKEN: {
    schema: text.min(1),
    about: 'Their API token. Pods of tasks have none: they show the token of their service account.',
    requiredBy: ['worker'],
    fallback: 'what `start` left in MILLRACE_HOME',
  },
  MILLRACE_DISPATCH_ID: {
    schema: text.regex(/^[\w.-]{1,200}$/, 'must be the id of a dispatch'),
    about: 'In the Pod of a task: the dispatch that it is for.',
    requiredBy: ['run-task'],
  },
  MILLRACE_CLUSTER: {
    schema: text.regex(/^[\w.-]{1,200}$/, 'must be the name of a cluster'),
    about: 'In the Pod of a task: what the service calls the cluster that it runs on.',
    requiredBy: ['run-task'],
  },
  MILLRACE_POD_TOKEN_FILE: {
    schema: path,
    about: 'In the Pod of a task: file with the token of its service account, made out for `millrace`.',
    fallback: '`/var/run/secrets/millrace/token`',
  },
  MILLRACE_RESULT_FILE: {
    schema: path,
    about: 'For `collect-result` in the Pod of a task: the file whose content is the result.',
  },
} satisfies { [name: string]: Variable };

type VariableName = keyof typeof VARIABLES;
type Values = { [K in VariableName]?: z.output<(typeof VARIABLES)[K]['schema']> };
export type Environment = { [name: string]: string | undefined };

/** All mistakes of the environment at once; never a value, which may be a secret. */
export class ConfigError extends Error {
  readonly mistakes: string[];
  constructor(mistakes: string[]) {
    super(
      `The configuration has ${mistakes.length === 1 ? 'a mistake' : `${mistakes.length} mistakes`}:\n${mistakes.map((m) => `  - ${m}`).join('\n')}`,
    );
    this.name = 'ConfigError';
    this.mistakes = mistakes;
  }
}

/** Kubernetes gives every container such variables when a service is called "millrace" or "millrace-api"; they are not ours. */
const isServiceLink = (name: string, value: string) =>
  /^MILLRACE_(\w+_)?(SERVICE_(HOST|PORT)|PORT_\d)/.test(name) ||
  (/^MILLRACE_(\w+_)?PORT$/.test(name) && value.startsWith('tcp://'));
/** What a supervisor and its tasks find in their environment; see `taskVariables`. A command in a task is no task itself. */
const OF_TASKS = /^MILLRACE_(SUPERVISOR|BUNDLE_DIR|(DAG|TASK|RUN)_ID|TRY_NUMBER|MAP_INDEX|LOGICAL_DATE)$/;

function parse(role: ConfigRole, environment: Environment): Values {
  const mistakes: string[] = [];
  const given = Object.entries(environment).filter(
    (entry): entry is [string, string] => !!entry[1]?.trim() && !isServiceLink(entry[0], entry[1]),
  );
  const values: { [name: string]: unknown } = {};
  for (const [name, raw] of given) {
    const variable: Variable | undefined = (VARIABLES as { [name: string]: Variable })[name];
    if (!variable) {
      if (name.startsWith('MILLRACE_') && !OF_TASKS.test(name))
        mistakes.push(`${name}: there is no such variable.${didYouMean(name, Object.keys(VARIABLES))}`);
      continue;
    }
    const result = variable.schema.safeParse(raw);
    if (result.success) values[name] = result.data;
    else mistakes.push(`${name}: ${result.error.issues.map((issue) => issue.message).join('; ')}`);
  }
  const known = new Set(given.map(([name]) => name));
  for (const [name, variable] of Object.entries<Variable>(VARIABLES))
    if (variable.requiredBy?.includes(role) && !known.has(name))
      mistakes.push(`${name}: needed by "millrace ${role}". ${variable.about}`);
  mistakes.push(...clusterMistakes(values), ...logStoreMistakes(values, role), ...brokerMistakes(values));
  if (mistakes.length > 0) throw new ConfigError(mistakes);
  return values as Values;
}

/** A Pod's own folders may be read-only, and its user may have no home. */
const POD_HOME = '/tmp/millrace';
const POD_TOKEN_FILE = '/var/run/secrets/millrace/token';

function defaultHome(role: ConfigRole, environment: Environment): string {
  if (role === 'run-task') return POD_HOME;
  if (process.getuid?.() === 0) return '/var/lib/millrace';
  return join(environment['XDG_DATA_HOME'] || join(homedir(), '.local', 'share'), 'millrace');
}

const SHUTDOWN_SECONDS: { [R in ConfigRole]?: number } = { start: 10, test: 0, 'run-task': 30 };

/** The only reader of the environment. */
export function readConfig(role: ConfigRole, environment: Environment = process.env) {
  const values = parse(role, environment);
  const home = values.MILLRACE_HOME ?? defaultHome(role, environment);
  return {
    role,
    home,
    host: values.MILLRACE_HOST ?? '127.0.0.1',
    port: values.MILLRACE_PORT ?? 4400,
    metricsPort: values.MILLRACE_METRICS_PORT ?? 0,
    publicUrl: values.MILLRACE_PUBLIC_URL ?? null,
    graphiql: values.MILLRACE_GRAPHIQL ?? role === 'start',
    databaseUrl: values.DATABASE_URL ?? null,
    databaseConnections: values.MILLRACE_DATABASE_CONNECTIONS ?? 10,
    broker: brokerConfig(values),
    secretKey: values.MILLRACE_SECRET_KEY ?? null,
    oldSecretKeys: values.MILLRACE_OLD_SECRET_KEYS ?? [],
    dags: values.MILLRACE_DAGS ?? null,
    kubernetes: clusterConfig(values, environment),
    git: gitConfig(values),
    log: {
      level: values.MILLRACE_LOG_LEVEL ?? (role === 'test' ? ('warn' as const) : ('info' as const)),
      format: values.MILLRACE_LOG_FORMAT ?? (FOR_PEOPLE.has(role) ? ('text' as const) : ('json' as const)),
    },
    logStore: logStoreConfig(values, role === 'start' ? join(home, 'logs') : null),
    retention: retentionConfig(values),
    shutdownSeconds: values.MILLRACE_SHUTDOWN_SECONDS ?? SHUTDOWN_SECONDS[role] ?? 60,
    worker: {
      name: values.MILLRACE_WORKER_NAME ?? null,
      slots: values.MILLRACE_WORKER_SLOTS ?? Math.max(4, 2 * availableParallelism()),
      queues: values.MILLRACE_WORKER_QUEUES ?? ['default'],
      labels: values.MILLRACE_WORKER_LABELS ?? {},
      taskMemory: values.MILLRACE_WORKER_TASK_MEMORY ?? null,
      childTasks: values.MILLRACE_WORKER_CHILD_TASKS ?? null,
      childMemory: values.MILLRACE_WORKER_CHILD_MEMORY ?? null,
      spool: values.MILLRACE_WORKER_SPOOL ?? 2 ** 30,
      bundleCache: values.MILLRACE_WORKER_BUNDLE_CACHE ?? 2 * 2 ** 30,
      resultCache: values.MILLRACE_WORKER_RESULT_CACHE ?? 2 * 2 ** 30,
      python: values.MILLRACE_PYTHON ?? 'python3',
      packages: {
        pipArgs: values.MILLRACE_PIP_ARGS ?? [],
        environment: pipEnvironment(environment),
        limit: values.MILLRACE_WORKER_VENV_CACHE ?? 10 * 2 ** 30,
      },
      /** What tasks see of it. */
      environment: role === 'run-task' ? podTaskEnvironment(environment) : taskEnvironment(environment),
    },
    url: values.MILLRACE_URL ?? null,
    token: values.MILLRACE_TOKEN ?? null,
    pod: {
      dispatchId: values.MILLRACE_DISPATCH_ID ?? null,
      cluster: values.MILLRACE_CLUSTER ?? null,
      tokenFile: values.MILLRACE_POD_TOKEN_FILE ?? POD_TOKEN_FILE,
      resultFile: values.MILLRACE_RESULT_FILE ?? null,
    },
  };
}
export type Config = ReturnType<typeof readConfig>;
