import { wantGitLook } from '#db/queries/git-looks.ts';
import {
  createGitSource,
  deleteGitSource,
  findGitSource,
  updateGitSource,
  type GitSourceRecord,
} from '#db/queries/git-sources.ts';
import { recordAudit } from '#db/queries/audit.ts';
import { builder } from '../builder.ts';
import { actorOf, type Context } from '../context.ts';
import { ConflictError, NotFoundError, ValidationError } from '../errors.ts';
import { CreateGitSourceInput, readGitSourceChange, readNewGitSource, UpdateGitSourceInput } from '../git-input.ts';
import { globalId } from '../global-id.ts';
import { GitSourceNode } from './git-source.ts';

const SyncGitSourceInput = builder.inputType('SyncGitSourceInput', {
  description: 'Which Git source to look at.',
  fields: (t) => ({ name: t.string({ required: true, description: 'Its name.' }) }),
});
const DeleteGitSourceInput = builder.inputType('DeleteGitSourceInput', {
  description: 'Which Git source to delete.',
  fields: (t) => ({
    name: t.string({ required: true, description: 'Its name.' }),
    keepDags: t.boolean({
      description:
        'Its DAGs stay active as they are, kept by nobody. Otherwise they are deactivated: no run is scheduled any more.',
    }),
  }),
});

interface Deleted {
  name: string;
  dagIds: string[];
  kept: boolean;
}
const DeletedGitSource = builder.objectRef<Deleted>('DeletedGitSource').implement({
  description:
    'A Git source that Millrace no longer looks at, and what became of its DAGs. Their runs, versions and code stay.',
  authScopes: { administer: true },
  fields: (t) => ({
    deletedId: t.id({ description: 'The global id it had.', resolve: ({ name }) => globalId('GitSource', name) }),
    deletedName: t.exposeString('name', { description: 'The name it had.' }),
    deactivatedDagIds: t.stringList({
      description: 'DAGs that are not active any more.',
      resolve: ({ dagIds, kept }) => (kept ? [] : dagIds),
    }),
    keptDagIds: t.stringList({
      description: 'DAGs that stay active.',
      resolve: ({ dagIds, kept }) => (kept ? dagIds : []),
    }),
  }),
});

const missing = (name: string) => new NotFoundError(`Git source "${name}"`);

async function create(ctx: Context, input: typeof CreateGitSourceInput.$inferInput): Promise<GitSourceRecord> {
  const source = readNewGitSource(input, ctx.gitPolicy);
  const row = await createGitSource(ctx.db, ctx.vault, source, actorOf(ctx));
  if (row) return row;
  throw new ConflictError('GIT_SOURCE_EXISTS', `There is a Git source "${input.name}" already: update it.`);
}

async function update(ctx: Context, input: typeof UpdateGitSourceInput.$inferInput): Promise<GitSourceRecord> {
  const known = await findGitSource(ctx.db, input.name);
  if (!known) throw missing(input.name);
  const change = readGitSourceChange(input, known, ctx.gitPolicy);
  const row = await updateGitSource(ctx.db, ctx.vault, input.name, change, actorOf(ctx));
  if (row) return row;
  throw missing(input.name);
}

async function sync(ctx: Context, name: string): Promise<GitSourceRecord> {
  const known = await findGitSource(ctx.db, name);
  if (!known) throw missing(name);
  if (known.paused)
    throw new ConflictError('GIT_SOURCE_PAUSED', `The Git source "${name}" is paused: unpause it first.`);
  await wantGitLook(ctx.db, name, { reload: true });
  await recordAudit(ctx.db, { actor: actorOf(ctx), action: 'sync_git_source', object: name });
  return (await findGitSource(ctx.db, name)) ?? known;
}

async function remove(ctx: Context, { name, keepDags }: typeof DeleteGitSourceInput.$inferInput): Promise<Deleted> {
  const kept = keepDags ?? false;
  const released = await deleteGitSource(ctx.db, name, { actor: actorOf(ctx), keep: kept });
  if (!released) throw missing(name);
  return { name, kept, dagIds: released.dagIds };
}

builder.mutationFields((t) => ({
  createGitSource: t.field({
    type: GitSourceNode,
    authScopes: { administer: true },
    errors: { types: [ValidationError, ConflictError] },
    description:
      'Makes a Git repository known. Its DAGs are deployed within seconds, and each time it has a new commit.',
    args: { input: t.arg({ type: CreateGitSourceInput, required: true }) },
    resolve: (_root, { input }, ctx) => create(ctx, input),
  }),
  updateGitSource: t.field({
    type: GitSourceNode,
    authScopes: { administer: true },
    errors: { types: [NotFoundError, ValidationError] },
    description: 'Changes a Git source. It is looked at anew at once.',
    args: { input: t.arg({ type: UpdateGitSourceInput, required: true }) },
    resolve: (_root, { input }, ctx) => update(ctx, input),
  }),
  syncGitSource: t.field({
    type: GitSourceNode,
    authScopes: { edit: true },
    errors: { types: [NotFoundError, ConflictError] },
    description:
      'Has a Git source looked at now, and all its files loaded, also when its commit is known. Answers at once: `lookedAt` tells when it is done.',
    args: { input: t.arg({ type: SyncGitSourceInput, required: true }) },
    resolve: (_root, { input }, ctx) => sync(ctx, input.name),
  }),
  deleteGitSource: t.field({
    type: DeletedGitSource,
    authScopes: { administer: true },
    errors: { types: [NotFoundError] },
    description: 'Forgets a Git source. What runs goes on; the answer tells what became of its DAGs.',
    args: { input: t.arg({ type: DeleteGitSourceInput, required: true }) },
    resolve: (_root, { input }, ctx) => remove(ctx, input),
  }),
}));
