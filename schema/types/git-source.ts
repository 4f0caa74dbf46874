import { findDagNamesOf, findImportErrorsOf } from '#db/queries/source-contents.ts';
import { findGitSource, findGitSources, listGitSources, type GitSourceRecord } from '#db/queries/git-sources.ts';
import { GIT_ACCESS, GIT_STATES, gitOrigin } from '#sdk/git-sources.ts';
import { builder } from '../builder.ts';
import type { Context } from '../context.ts';
import { GitCommitType } from './git-commit.ts';
import { ImportErrorType } from './import-error.ts';

const GitAccessEnum = builder.enumType('GitAccess', {
  description: 'How a repository is reached.',
  values: {
    NONE: { value: GIT_ACCESS[0], description: 'Anybody may read it.' },
    PASSWORD: { value: GIT_ACCESS[1], description: 'With a username and a password or token.' },
    SSH: { value: GIT_ACCESS[2], description: 'With a private key.' },
  } as const,
});

const GitSourceStateEnum = builder.enumType('GitSourceState', {
  description: 'How a Git source is.',
  values: {
    OK: {
      value: GIT_STATES[0],
      description: 'It could be read: what it holds is deployed, but for files that do not load.',
    },
    FAILED: { value: GIT_STATES[1], description: 'It could not be read: see `message`. Its DAGs stay as they were.' },
    UNKNOWN: { value: GIT_STATES[2], description: 'Nobody has looked yet.' },
  } as const,
});

export const GitSourceNode = builder.loadableNode('GitSource', {
  description: 'A Git repository that DAGs are deployed from. Its credentials are never shown.',
  authScopes: { read: true },
  id: { resolve: (source: GitSourceRecord) => source.name },
  load: async (names: string[], ctx: Context) => {
    const rows = new Map((await findGitSources(ctx.db, names)).map((row) => [row.name, row]));
    return names.map((name) => rows.get(name) ?? null);
  },
  fields: (t) => ({
    name: t.exposeString('name', { description: 'Unique in the service; DAGs name it as `git:<name>`.' }),
    description: t.exposeString('description', { nullable: true, description: 'What it is for.' }),
    url: t.exposeString('url', { description: 'Its address.' }),
    ref: t.exposeString('ref', { nullable: true, description: 'Branch or tag; null: the default branch.' }),
    folder: t.exposeString('folder', { description: 'Where the DAG files are; empty: the whole repository.' }),
    access: t.expose('access', { type: GitAccessEnum, description: 'How it is reached.' }),
    username: t.exposeString('username', { nullable: true, description: 'That goes with the password.' }),
    hasWebhook: t.exposeBoolean('has_webhook', { description: 'POST /hooks/git/<name> has it looked at.' }),
    intervalSeconds: t.exposeInt('interval_seconds', { description: 'Between looks.' }),
    trusted: t.exposeBoolean('trusted', {
      description: 'Its DAGs may ask of clusters what those that an administrator deploys may.',
    }),
    paused: t.exposeBoolean('paused', { description: 'It is not looked at; its DAGs go on.' }),
    state: t.expose('state', { type: GitSourceStateEnum, description: 'In a word.' }),
    message: t.exposeString('message', {
      nullable: true,
      description: 'What is wrong and what to do; null when it is well.',
    }),
    since: t.expose('since', { type: 'DateTime', description: 'Since when it is in this state.' }),
    looking: t.exposeBoolean('looking', { description: 'A scheduler looks at it now.' }),
    lookedAt: t.expose('looked_at', { type: 'DateTime', nullable: true, description: 'When it was last looked at.' }),
    nextLookAt: t.field({
      type: 'DateTime',
      nullable: true,
      description: 'When it is looked at next; null while it is paused.',
      resolve: ({ paused, due_at }) => (paused ? null : due_at),
    }),
    commit: t.field({
      type: GitCommitType,
      nullable: true,
      description: 'What is deployed; null: nothing yet.',
      resolve: (source) => (source.commit_sha === null ? null : source),
    }),
    deployedAt: t.expose('deployed_at', { type: 'DateTime', nullable: true, description: 'When it was deployed.' }),
    durationMs: t.exposeInt('duration_ms', { nullable: true, description: 'How long that took.' }),
    files: t.exposeInt('files', { nullable: true, description: 'DAG files of the commit.' }),
    failedFiles: t.exposeInt('failed_files', { nullable: true, description: 'Those of them that do not load.' }),
    dagIds: t.loadableList({
      type: 'String',
      complexity: { field: 5, multiplier: 1 },
      description: 'Its active DAGs, by name.',
      load: (sources: string[], ctx: Context) => findDagNamesOf(ctx.db, sources),
      resolve: (source) => gitOrigin(source.name),
    }),
    importErrors: t.loadableList({
      type: ImportErrorType,
      complexity: { field: 5, multiplier: 1 },
      description: 'Its files that do not load, by path; at most 200 of all that are asked for.',
      load: (sources: string[], ctx: Context) => findImportErrorsOf(ctx.db, sources),
      resolve: (source) => gitOrigin(source.name),
    }),
    createdAt: t.expose('created_at', { type: 'DateTime', description: 'When it was made.' }),
    updatedAt: t.expose('updated_at', { type: 'DateTime', description: 'When it was last changed.' }),
    updatedBy: t.exposeString('updated_by', { description: 'Who changed it.' }),
  }),
});

/** A service has a handful of them. */
const FEW = { field: 20, multiplier: 5 };

builder.queryFields((t) => ({
  gitSources: t.field({
    type: [GitSourceNode],
    authScopes: { read: true },
    complexity: FEW,
    description: 'All Git sources, by name.',
    resolve: (_root, _args, ctx) => listGitSources(ctx.db),
  }),
  gitSource: t.field({
    type: GitSourceNode,
    nullable: true,
    authScopes: { read: true },
    description: 'A Git source by name; null when there is none.',
    args: { name: t.arg.string({ required: true, description: 'Its name.' }) },
    resolve: async (_root, { name }, ctx) => (await findGitSource(ctx.db, name)) ?? null,
  }),
}));

const GitSourceList = builder.objectRef<{ at: Date }>('GitSourceList').implement({
  description: 'The Git sources as they stand.',
  authScopes: { read: true },
  fields: (t) => ({
    at: t.expose('at', { type: 'DateTime', description: 'When the server heard of the change.' }),
    gitSources: t.field({
      type: [GitSourceNode],
      complexity: FEW,
      description: 'All of them, by name.',
      resolve: (_list, _args, ctx) => listGitSources(ctx.db),
    }),
  }),
});

builder.subscriptionField('gitSourceChanges', (t) =>
  t.field({
    type: GitSourceList,
    authScopes: { read: true },
    description:
      'The Git sources, now and each time one of them has changed or been looked at. Subscribe again at any time: each message is complete.',
    subscribe: (_root, _args, ctx) => ctx.events.gitSourceChanges(),
    resolve: (item) => item,
  }),
);
