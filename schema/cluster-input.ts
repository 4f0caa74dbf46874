/** What people write of a cluster, made into what is stored. */
import { z } from 'zod';
import type { ClusterAccess, ClusterChange, NewCluster } from '#db/queries/clusters.ts';
import {
  CLUSTER_DEFAULTS,
  CLUSTER_NAME_PATTERN,
  NAMESPACE_PATTERN,
  POD_SECURITY_LEVELS,
  type ClusterSettings,
} from '#sdk/clusters.ts';
import { checkKubernetes } from '#sdk/kubernetes-check.ts';
import { isPlainObject } from '#sdk/spec-fields.ts';
import { findUnstorable } from '#sdk/storable.ts';
import { builder } from './builder.ts';
import { KubeconfigError, readKubeconfig, serverProblem } from './kubeconfig.ts';
import { storableText } from './storable-text.ts';
import { ValidationError, type ValidationIssue } from './validation-error.ts';

export const PodSecurityEnum = builder.enumType('PodSecurity', {
  description: 'Levels of the Pod Security Standards of Kubernetes.',
  values: {
    RESTRICTED: { value: POD_SECURITY_LEVELS[0], description: 'No rights that a task does not need.' },
    BASELINE: { value: POD_SECURITY_LEVELS[1], description: 'As containers usually run; nothing of the node.' },
    PRIVILEGED: { value: POD_SECURITY_LEVELS[2], description: 'Anything, the node included.' },
  } as const,
});

const LABEL = 'lower-case letters, digits and -, at most 63 of them';
export const clusterName = z.string().regex(CLUSTER_NAME_PATTERN, `A name has ${LABEL}`);
const namespaceList = z
  .array(z.string().regex(NAMESPACE_PATTERN, `A namespace has ${LABEL}`))
  .min(1, 'Name at least one namespace')
  .max(100)
  .refine((names) => new Set(names).size === names.length, 'A namespace is named twice');
const patterns = z.array(z.string().regex(/^[\w.*:/@-]{1,400}$/, 'A pattern has letters, digits and * . : / @ _ -'));
const accountNames = z.array(z.string().regex(/^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/, 'It is no name of an account'));
const wholeNumber = (low: number, high: number) => z.number().int().min(low).max(high);
const httpUrl = z.url({ protocol: /^https?$/, error: 'It must be an address that begins with http:// or https://' });
const imageName = z.string().regex(/^[\w.:/@-]{1,400}$/, 'It is no name of an image');
const MOST_SECRET = 65_536;

const ClusterAccessInput = builder.inputType('ClusterAccessInput', {
  description: 'How a cluster is reached: `inCluster`, or `kubeconfig`, or `server` with `token`.',
  fields: (t) => ({
    inCluster: t.boolean({
      description: 'It is the one that the service runs in, with the service account of its Pods.',
    }),
    kubeconfig: t.string({
      description: 'Text of a kubeconfig, without files and programs. Only the chosen context is kept, encrypted.',
    }),
    context: t.string({
      description: 'Which one of the kubeconfig; its current one when not given.',
      validate: storableText(500),
    }),
    server: t.string({ description: 'Address of its API; goes with `token`.', validate: storableText(2_000) }),
    token: t.string({
      description: 'Of a service account. Stored encrypted, and never shown again.',
      validate: storableText(MOST_SECRET),
    }),
    ca: t.string({
      description: 'Certificates that sign the server’s, in PEM; those that the system trusts when not given.',
      validate: storableText(MOST_SECRET),
    }),
    insecure: t.boolean({ description: 'Check no certificate of `server`. For tests.' }),
  }),
});

const ClusterSettingsInput = builder.inputType('ClusterSettingsInput', {
  description: 'What else there is to a cluster. A field that is not given stays, null sets it back to its default.',
  fields: (t) => ({
    description: t.string({ description: 'What it is for.', validate: storableText(2_000) }),
    serviceUrl: t.string({
      description: 'Address under which Pods there reach this API. Default: MILLRACE_PUBLIC_URL.',
      validate: httpUrl,
    }),
    runnerImage: t.string({ description: 'Image of Millrace for tasks that bring none.', validate: imageName }),
    qps: t.int({ description: 'Requests a second to its API, on average.', validate: wholeNumber(1, 10_000) }),
    burst: t.int({ description: 'Requests at once after a quiet time.', validate: wholeNumber(1, 100_000) }),
    parallelCreates: t.int({ description: 'Pods created at the same time.', validate: wholeNumber(1, 1_000) }),
    maxPods: t.int({ description: 'Pods at once; further tasks wait.', validate: wholeNumber(0, 1_000_000) }),
    maxPodsPerNamespace: t.int({
      description: 'Pods at once in one namespace. Default: no limit of its own.',
      validate: wholeNumber(0, 1_000_000),
    }),
    podSecurity: t.field({ type: PodSecurityEnum, description: 'What Pods of tasks may do at most.' }),
    images: t.stringList({
      description: 'Patterns of images that tasks may run, `*` for any characters. Default: any image.',
      validate: patterns.max(200),
    }),
    serviceAccounts: t.stringList({
      description: 'Service accounts that tasks may name. Default: any.',
      validate: accountNames.max(200),
    }),
    podDefaults: t.field({
      type: 'JSON',
      description: 'A partial Pod (`metadata`, `spec`) below what DAGs and tasks say. No place for secrets.',
    }),
  }),
});

const NAMESPACES = 'Where tasks may run; the first one when they name none.';

export const CreateClusterInput = builder.inputType('CreateClusterInput', {
  description: 'A cluster.',
  fields: (t) => ({
    name: t.string({ required: true, description: `Its name: ${LABEL}.`, validate: clusterName }),
    access: t.field({ type: ClusterAccessInput, required: true, description: 'How it is reached.' }),
    namespaces: t.stringList({ required: true, description: NAMESPACES, validate: namespaceList }),
    settings: t.field({ type: ClusterSettingsInput, description: 'What else there is to it.' }),
  }),
});

export const UpdateClusterInput = builder.inputType('UpdateClusterInput', {
  description: 'What to change of a cluster: what is not given stays.',
  fields: (t) => ({
    name: t.string({ required: true, description: 'Which one.' }),
    access: t.field({ type: ClusterAccessInput, description: 'How it is reached; given as a whole.' }),
    namespaces: t.stringList({ description: NAMESPACES, validate: namespaceList }),
    settings: t.field({ type: ClusterSettingsInput, description: 'What else there is to it.' }),
  }),
});

const issue = (path: string[], message: string): ValidationIssue => ({ path: ['input', ...path], message });

/** Throws a ValidationError with all that is wrong. */
export function readNewCluster(input: typeof CreateClusterInput.$inferInput): NewCluster {
  const issues: ValidationIssue[] = [];
  const settings = readSettings(input.settings ?? {}, issues);
  const access = readAccess(input.access, issues);
  if (!access || issues.length > 0) throw new ValidationError(issues);
  return { ...CLUSTER_DEFAULTS, ...settings, name: input.name, namespaces: input.namespaces, access };
}

/** Throws a ValidationError with all that is wrong. */
export function readClusterChange(input: typeof UpdateClusterInput.$inferInput): ClusterChange {
  const issues: ValidationIssue[] = [];
  const settings = readSettings(input.settings ?? {}, issues);
  const access = input.access ? readAccess(input.access, issues) : undefined;
  if (issues.length > 0) throw new ValidationError(issues);
  return { ...settings, ...(input.namespaces && { namespaces: input.namespaces }), ...(access && { access }) };
}

type GivenSettings = typeof ClusterSettingsInput.$inferInput;

function readSettings(given: GivenSettings, issues: ValidationIssue[]): Partial<ClusterSettings> {
  const problem = given.podDefaults == null ? null : podDefaultsProblem(given.podDefaults);
  if (problem !== null) issues.push(issue(['settings', 'podDefaults'], problem));
  const entries = Object.entries(given).filter(([, value]) => value !== undefined);
  const defaults: { [setting: string]: unknown } = CLUSTER_DEFAULTS;
  return Object.fromEntries(entries.map(([name, value]) => [name, value ?? defaults[name]]));
}

function podDefaultsProblem(pod: unknown): string | null {
  if (!isPlainObject(pod)) return 'It must be an object: a part of a Pod.';
  const wrong: string[] = [];
  checkKubernetes('Pod', pod, '', (path, message) => wrong.push(`${path.slice(1)}: ${message}`), { partial: true });
  if (wrong[0] !== undefined) return wrong[0];
  if (JSON.stringify(pod).length > MOST_SECRET) return `At most ${MOST_SECRET} characters as JSON.`;
  return findUnstorable(pod)?.message ?? null;
}

type GivenAccess = typeof ClusterAccessInput.$inferInput;

/** Undefined: `issues` say why. */
function readAccess(given: GivenAccess, issues: ValidationIssue[]): ClusterAccess | undefined {
  const report: Report = (path, message) => {
    issues.push(issue(['access', ...path], message));
    return undefined;
  };
  const { inCluster, kubeconfig, server } = given;
  const ways = [inCluster ? 'inCluster' : null, kubeconfig ? 'kubeconfig' : null, server ? 'server' : null];
  const named = ways.filter((way) => way !== null);
  if (named.length !== 1)
    return report([], `Give one of inCluster, kubeconfig and server; given: ${named.join(', ') || 'none'}.`);
  if (inCluster) return { credentials: { kind: 'in_cluster' }, server: null, insecure: false };
  return kubeconfig ? readKubeconfigAccess(kubeconfig, given.context ?? null, report) : readTokenAccess(given, report);
}

type Report = (path: string[], message: string) => undefined;

function readKubeconfigAccess(text: string, context: string | null, report: Report): ClusterAccess | undefined {
  try {
    const { server, insecure, ...read } = readKubeconfig(text, { context });
    return {
      credentials: { kind: 'kubeconfig', kubeconfig: read.kubeconfig, context: read.context },
      server,
      insecure,
    };
  } catch (error) {
    if (!(error instanceof KubeconfigError)) throw error;
    return report(['kubeconfig'], error.message);
  }
}

function readTokenAccess({ server, token, ca, insecure }: GivenAccess, report: Report): ClusterAccess | undefined {
  const problem = serverProblem(server ?? '', insecure ?? false);
  if (problem !== null) return report(['server'], problem);
  if (!token?.trim()) return report(['token'], 'A server needs a token: give that of a service account.');
  if (ca && !/-----BEGIN CERTIFICATE-----/.test(ca))
    return report(['ca'], 'It is no certificate in PEM: it has no line BEGIN CERTIFICATE.');
  const at = server!.replace(/\/+$/, '');
  return {
    credentials: { kind: 'token', server: at, token: token.trim(), ca: ca || null, insecure: insecure ?? false },
    server: at,
    insecure: insecure ?? false,
  };
}
