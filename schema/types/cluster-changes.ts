import {
  createCluster,
  deleteCluster,
  findCluster,
  updateCluster,
  type ClusterChange,
  type ClusterRecord,
} from '#db/queries/clusters.ts';
import { builder } from '../builder.ts';
import { CreateClusterInput, readClusterChange, readNewCluster, UpdateClusterInput } from '../cluster-input.ts';
import { actorOf, type Context } from '../context.ts';
import { ConflictError, NotFoundError, ValidationError } from '../errors.ts';
import { globalId } from '../global-id.ts';
import { ClusterNode } from './cluster.ts';

const WHICH = 'Its name.';

const PauseClusterInput = builder.inputType('PauseClusterInput', {
  description: 'Which cluster to pause, or to go on with.',
  fields: (t) => ({
    name: t.string({ required: true, description: WHICH }),
    paused: t.boolean({ required: true, description: 'False: Pods are started again.' }),
  }),
});
const CheckClusterInput = builder.inputType('CheckClusterInput', {
  description: 'Which cluster to look at.',
  fields: (t) => ({ name: t.string({ required: true, description: WHICH }) }),
});
const DeleteClusterInput = builder.inputType('DeleteClusterInput', {
  description: 'Which cluster to delete.',
  fields: (t) => ({
    name: t.string({ required: true, description: WHICH }),
    force: t.boolean({
      description:
        'Also while tasks have Pods there, as when the cluster is gone for good. What runs there is left alone.',
    }),
  }),
});
const DeletedCluster = builder.objectRef<{ name: string }>('DeletedCluster').implement({
  description: 'A cluster that Millrace no longer knows.',
  authScopes: { administer: true },
  fields: (t) => ({
    deletedId: t.id({ description: 'The global id it had.', resolve: ({ name }) => globalId('Cluster', name) }),
    deletedName: t.exposeString('name', { description: 'The name it had.' }),
  }),
});

const missing = (name: string) => new NotFoundError(`cluster "${name}"`);

async function create(ctx: Context, input: typeof CreateClusterInput.$inferInput): Promise<ClusterRecord> {
  const row = await createCluster(ctx.db, ctx.vault, readNewCluster(input), { actor: actorOf(ctx) });
  if (row) return row;
  throw new ConflictError('CLUSTER_EXISTS', `There is a cluster "${input.name}" already: update it.`);
}

/** How it is reached and where tasks may run there is not for people when the configuration says it. */
async function refuseManaged(ctx: Context, name: string): Promise<void> {
  const known = await findCluster(ctx.db, name);
  if (!known) throw missing(name);
  if (known.managed)
    throw new ConflictError(
      'CLUSTER_MANAGED',
      `How the cluster "${name}" is reached, and its namespaces, are kept as the configuration of the service says (MILLRACE_KUBECONFIG or MILLRACE_IN_CLUSTER): change that there.`,
    );
}

async function change(ctx: Context, name: string, changes: ClusterChange): Promise<ClusterRecord> {
  const row = await updateCluster(ctx.db, ctx.vault, name, changes, { actor: actorOf(ctx) });
  if (row) return row;
  throw missing(name);
}

async function update(ctx: Context, input: typeof UpdateClusterInput.$inferInput): Promise<ClusterRecord> {
  const changes = readClusterChange(input);
  if (changes.access || changes.namespaces) await refuseManaged(ctx, input.name);
  return change(ctx, input.name, changes);
}

async function check(ctx: Context, name: string): Promise<ClusterRecord> {
  if (await findCluster(ctx.db, name)) await ctx.clusters.check(name);
  const checked = await findCluster(ctx.db, name);
  if (checked) return checked;
  throw missing(name);
}

async function remove(ctx: Context, { name, force }: typeof DeleteClusterInput.$inferInput) {
  await refuseManaged(ctx, name);
  const outcome = await deleteCluster(ctx.db, name, { actor: actorOf(ctx), force: force ?? false });
  if (outcome === 'missing') throw missing(name);
  if (outcome === 'in_use')
    throw new ConflictError(
      'CLUSTER_IN_USE',
      `Tasks have Pods on the cluster "${name}": pause it and wait until they have ended, or cancel their runs.`,
    );
  return { name };
}

builder.mutationFields((t) => ({
  createCluster: t.field({
    type: ClusterNode,
    authScopes: { administer: true },
    errors: { types: [ValidationError, ConflictError] },
    description: 'Makes a cluster known. Whether it can be used is seen within seconds, at once by checkCluster.',
    args: { input: t.arg({ type: CreateClusterInput, required: true }) },
    resolve: (_root, { input }, ctx) => create(ctx, input),
  }),
  updateCluster: t.field({
    type: ClusterNode,
    authScopes: { administer: true },
    errors: { types: [NotFoundError, ValidationError, ConflictError] },
    description: 'Changes a cluster. Pods that run there go on.',
    args: { input: t.arg({ type: UpdateClusterInput, required: true }) },
    resolve: (_root, { input }, ctx) => update(ctx, input),
  }),
  pauseCluster: t.field({
    type: ClusterNode,
    authScopes: { administer: true },
    errors: { types: [NotFoundError] },
    description: 'Starts no further Pods on a cluster, or goes on. Its tasks wait; Pods that run go on.',
    args: { input: t.arg({ type: PauseClusterInput, required: true }) },
    resolve: (_root, { input }, ctx) => change(ctx, input.name, { paused: input.paused }),
  }),
  checkCluster: t.field({
    type: ClusterNode,
    authScopes: { administer: true },
    errors: { types: [NotFoundError] },
    description: 'Looks at a cluster now: does it answer, and may we do there what tasks need?',
    args: { input: t.arg({ type: CheckClusterInput, required: true }) },
    resolve: (_root, { input }, ctx) => check(ctx, input.name),
  }),
  deleteCluster: t.field({
    type: DeletedCluster,
    authScopes: { administer: true },
    errors: { types: [NotFoundError, ConflictError] },
    description: 'Forgets a cluster. Nothing there is touched; tasks that name it wait until there is one again.',
    args: { input: t.arg({ type: DeleteClusterInput, required: true }) },
    resolve: (_root, { input }, ctx) => remove(ctx, input),
  }),
}));
