import { z } from 'zod';
import { deleteDag, deployDag, setDagPaused } from '#db/queries/dag.ts';
import { findDags, type DagRow } from '#db/queries/dags.ts';
import { poolWarnings } from '#db/queries/pools.ts';
import { recordAudit } from '#db/queries/audit.ts';
import { validateDagSpec } from '#sdk/validate-dag-spec.ts';
import { builder } from '../builder.ts';
import { actorOf, type Context } from '../context.ts';
import { ConflictError, NotFoundError, ValidationError } from '../errors.ts';
import { globalId } from '../global-id.ts';
import { DagVersionNode } from './dag-version.ts';
import { DagNode, requireDag } from './dag.ts';

const dagName = z.string().min(1).max(200);
const originText = z.string().min(1).max(1_000);
const sourceText = originText.refine(
  (source) => !source.startsWith('git:'),
  'What begins with git: is for Git sources',
);

const DeployDagInput = builder.inputType('DeployDagInput', {
  description: 'A DAG and the code of its tasks.',
  fields: (t) => ({
    spec: t.field({ type: 'JSON', required: true, description: 'A DagSpec (see dag-spec.schema.json).' }),
    bundle: t.string({
      description: 'Its code: a tar.gz in base64, as `millrace deploy` makes it; null when no task needs any.',
    }),
    source: t.string({
      description: 'What keeps this DAG, such as `cli` or a repository: a source removes its own DAGs only.',
      validate: sourceText,
    }),
    path: t.string({ description: 'Its file within the source.', validate: originText }),
  }),
});

interface Deployment {
  dag: DagRow;
  versionId: number;
  created: boolean;
  warnings: string[];
}

const DeployedDag = builder.objectRef<Deployment>('DeployedDag').implement({
  description: 'What a deployment made.',
  authScopes: { read: true },
  fields: (t) => ({
    dag: t.field({ type: DagNode, description: 'The DAG.', resolve: ({ dag }) => dag }),
    version: t.field({
      type: DagVersionNode,
      description: 'The version that is current now.',
      resolve: ({ versionId }) => String(versionId),
    }),
    created: t.exposeBoolean('created', { description: 'False: this very content had been deployed before.' }),
    warnings: t.exposeStringList('warnings', {
      description: 'What will make its tasks wait as things are, such as a pool that does not exist.',
    }),
  }),
});

interface DeployInput {
  spec?: unknown;
  bundle?: string | null | undefined;
  source?: string | null | undefined;
  path?: string | null | undefined;
}

async function deploy(ctx: Context, input: DeployInput) {
  const checked = validateDagSpec(input.spec);
  if (!checked.ok)
    throw new ValidationError(
      checked.issues.map(({ path, message }) => ({
        path: ['input', 'spec', ...path.split(/[.[\]]+/).filter(Boolean)],
        message,
      })),
    );
  const bundle = input.bundle ? await unpack(ctx, input.bundle) : null;
  const origin = { source: input.source ?? null, path: input.path ?? null };
  const request = { spec: checked.spec, bundle, actor: actorOf(ctx), authorRole: ctx.viewer?.role ?? null, origin };
  const { dagId, versionId, created } = await deployDag(ctx.db, request);
  const [dag] = await findDags(ctx.db, [dagId]);
  if (!dag) throw new Error(`DAG ${checked.spec.dagId} was deleted while it was deployed.`);
  return { dag, versionId, created, warnings: await poolWarnings(ctx.db, checked.spec) };
}

async function unpack(ctx: Context, text: string): Promise<{ hash: string; archive: Buffer }> {
  const archive = Buffer.from(text, 'base64');
  try {
    return { hash: await ctx.hashBundle(archive), archive };
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new ValidationError([{ path: ['input', 'bundle'], message: `Not a bundle: ${reason}` }]);
  }
}

const SetDagPausedInput = builder.inputType('SetDagPausedInput', {
  description: 'Whether runs of a DAG may start.',
  fields: (t) => ({
    dagId: t.string({ required: true, description: 'The DAG’s name.', validate: dagName }),
    paused: t.boolean({ required: true, description: 'True: no run starts until it is false again.' }),
  }),
});

const DeleteDagInput = builder.inputType('DeleteDagInput', {
  description: 'Which DAG to delete.',
  fields: (t) => ({ dagId: t.string({ required: true, description: 'The DAG’s name.', validate: dagName }) }),
});

const DeletedDag = builder.objectRef<{ id: string; dagId: string }>('DeletedDag').implement({
  description: 'A DAG that is gone.',
  authScopes: { administer: true },
  fields: (t) => ({
    deletedId: t.id({ description: 'The global id it had.', resolve: ({ id }) => id }),
    deletedDagId: t.string({ description: 'The name it had.', resolve: ({ dagId }) => dagId }),
  }),
});

async function pause(ctx: Context, name: string, paused: boolean): Promise<DagRow> {
  const dag = await requireDag(ctx, name);
  await setDagPaused(ctx.db, dag.id, paused, actorOf(ctx));
  return requireDag(ctx, name);
}

async function remove(ctx: Context, name: string) {
  const dag = await requireDag(ctx, name);
  const result = await deleteDag(ctx.db, dag.id, actorOf(ctx));
  if (result === 'not_found') throw new NotFoundError(`DAG "${name}"`);
  if (result === 'busy')
    throw new ConflictError('DAG_HAS_LIVE_RUNS', `"${name}" has queued or running runs. Cancel them first.`);
  await recordAudit(ctx.db, { actor: actorOf(ctx), action: 'delete_dag', object: name });
  return { id: globalId('Dag', dag.id), dagId: name };
}

builder.mutationFields((t) => ({
  deployDag: t.field({
    type: DeployedDag,
    authScopes: { edit: true },
    errors: { types: [ValidationError] },
    description: 'Stores a DAG. The same content is the same version; new content becomes the current version.',
    args: { input: t.arg({ type: DeployDagInput, required: true }) },
    resolve: (_root, { input }, ctx) => deploy(ctx, input),
  }),
  setDagPaused: t.field({
    type: DagNode,
    authScopes: { edit: true },
    errors: { types: [NotFoundError, ValidationError] },
    description: 'Pauses a DAG or lets it go on. What runs already goes on either way.',
    args: { input: t.arg({ type: SetDagPausedInput, required: true }) },
    resolve: (_root, { input }, ctx) => pause(ctx, input.dagId, input.paused),
  }),
  deleteDag: t.field({
    type: DeletedDag,
    authScopes: { administer: true },
    errors: { types: [NotFoundError, ConflictError, ValidationError] },
    description: 'Deletes a DAG with its versions, runs and logs. Refused while runs are queued or running.',
    args: { input: t.arg({ type: DeleteDagInput, required: true }) },
    resolve: (_root, { input }, ctx) => remove(ctx, input.dagId),
  }),
}));
