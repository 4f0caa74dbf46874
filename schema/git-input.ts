/** What people write of a Git source, made into what is stored. */
import { z } from 'zod';
import type { GitSourceChange, GitSourceRecord, NewGitSource } from '#db/queries/git-sources.ts';
import { GIT_DEFAULTS, GIT_SOURCE_NAME_PATTERN, type GitSourceSettings } from '#sdk/git-sources.ts';
import type { GitPolicy } from '#sdk/git-policy.ts';
import { gitFolderProblem, gitRefProblem, readGitUrl } from '#sdk/git-url.ts';
import { builder } from './builder.ts';
import { GitAccessInput, readGitAccess, urlProblem } from './git-access-input.ts';
import { storableText } from './storable-text.ts';
import { ValidationError, type ValidationIssue } from './validation-error.ts';

const NAME = 'lower-case letters, digits and -, at most 63 of them';
const gitName = z.string().regex(GIT_SOURCE_NAME_PATTERN, `A name has ${NAME}`);
const noProblem = (problemOf: (text: string) => string | null) =>
  z.string().superRefine((text, ctx) => {
    const message = problemOf(text);
    if (message !== null) ctx.addIssue({ code: 'custom', message });
  });
const URL_ABOUT =
  'Its address, over https or ssh, without credentials: `https://host/team/dags.git`, `git@host:team/dags.git`.';

const GitSettingsInput = builder.inputType('GitSettingsInput', {
  description: 'What else there is to a Git source. A field that is not given stays, null sets it back to its default.',
  fields: (t) => ({
    description: t.string({ description: 'What it is for.', validate: storableText(2_000) }),
    ref: t.string({ description: 'Branch or tag. Default: the default branch.', validate: noProblem(gitRefProblem) }),
    folder: t.string({
      description: 'Where the DAG files are, such as `team/dags`. Default: the whole repository.',
      validate: noProblem(gitFolderProblem),
    }),
    intervalSeconds: t.int({
      description: 'Between looks. Default: 60. With a webhook it can be long.',
      validate: z.number().int().min(10).max(86_400),
    }),
    trusted: t.boolean({
      description:
        'Its DAGs may ask of clusters what those that an administrator deploys may: whoever can push there then can. Default: false.',
    }),
    paused: t.boolean({ description: 'It is not looked at. Its DAGs go on as they are.' }),
    webhookSecret: t.string({
      description:
        'What POST /hooks/git/<name> is signed with. Stored encrypted, and never shown again. Default: there is no webhook.',
      validate: storableText(500).min(16, 'Give at least 16 characters, such as those of "openssl rand -hex 32"'),
    }),
  }),
});

export const CreateGitSourceInput = builder.inputType('CreateGitSourceInput', {
  description: 'A Git repository to deploy DAGs from.',
  fields: (t) => ({
    name: t.string({ required: true, description: `Its name: ${NAME}.`, validate: gitName }),
    url: t.string({ required: true, description: URL_ABOUT, validate: storableText(2_000) }),
    access: t.field({ type: GitAccessInput, description: 'How it is reached; not given: anybody may read it.' }),
    settings: t.field({ type: GitSettingsInput, description: 'What else there is to it.' }),
  }),
});

export const UpdateGitSourceInput = builder.inputType('UpdateGitSourceInput', {
  description: 'What to change of a Git source: what is not given stays.',
  fields: (t) => ({
    name: t.string({ required: true, description: 'Which one.' }),
    url: t.string({ description: URL_ABOUT, validate: storableText(2_000) }),
    access: t.field({
      type: GitAccessInput,
      description: 'How it is reached; given as a whole. Needed anew when the address is of another host.',
    }),
    settings: t.field({ type: GitSettingsInput, description: 'What else there is to it.' }),
  }),
});

/** Throws a ValidationError with all that is wrong. */
export function readNewGitSource(input: typeof CreateGitSourceInput.$inferInput, policy: GitPolicy): NewGitSource {
  const issues: ValidationIssue[] = [];
  const url = readUrl(input.url, policy, issues);
  const credentials = readGitAccess(input.access ?? {}, url, issues);
  if (issues.length > 0 || !credentials) throw new ValidationError(issues);
  const { webhookSecret, ...settings } = readSettings(input.settings ?? {});
  return {
    ...{ ...GIT_DEFAULTS, ...settings, name: input.name, url: input.url, credentials },
    ...(webhookSecret !== undefined && { webhookSecret }),
  };
}

/** Throws a ValidationError with all that is wrong. `known`: as it is. */
export function readGitSourceChange(
  input: typeof UpdateGitSourceInput.$inferInput,
  known: GitSourceRecord,
  policy: GitPolicy,
): GitSourceChange {
  const issues: ValidationIssue[] = [];
  const url = readUrl(input.url ?? known.url, policy, issues);
  const credentials = input.access ? readGitAccess(input.access, url, issues) : undefined;
  const before = readGitUrl(known.url);
  const isElsewhere =
    url &&
    typeof before !== 'string' &&
    (url.host !== before.host || url.port !== before.port || url.protocol !== before.protocol);
  // Else whoever may change the address could have the credentials sent to a host of theirs
  if (isElsewhere && !input.access && known.access !== 'none')
    issues.push(issueAt('access', 'The address is of another host: give the credentials for it, too.'));
  if (issues.length > 0) throw new ValidationError(issues);
  return {
    ...readSettings(input.settings ?? {}),
    ...(input.url && { url: input.url }),
    ...(credentials && { credentials }),
  };
}

function readUrl(text: string, policy: GitPolicy, issues: ValidationIssue[]) {
  const url = readGitUrl(text);
  const problem = urlProblem(url, policy);
  if (problem !== null) issues.push(issueAt('url', problem));
  return typeof url === 'string' ? undefined : url;
}

function readSettings(
  given: typeof GitSettingsInput.$inferInput,
): Partial<GitSourceSettings> & { webhookSecret?: string | null } {
  const defaults: { [setting: string]: unknown } = GIT_DEFAULTS;
  const entries = Object.entries(given).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries.map(([name, value]) => [name, value ?? defaults[name] ?? null]));
}

const issueAt = (field: string, message: string): ValidationIssue => ({ path: ['input', field], message });
