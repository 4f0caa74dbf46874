/** What a person is asked by an approval, and what a decision makes of the task. Pure. */
import { resolveParams } from '#sdk/params.ts';
import type { Json, TaskReport } from '#sdk/protocol.ts';
import { isPlainObject } from '#sdk/spec-fields.ts';
import { findUnstorable } from '#sdk/storable.ts';
import type { ApprovalFields } from '#sdk/waiting-spec.ts';
import type { ValidationIssue } from './validation-error.ts';

/** As it is stored while it waits, templates rendered. */
export type ApprovalRequest = Pick<
  ApprovalFields,
  'subject' | 'body' | 'options' | 'rejections' | 'form' | 'users' | 'roles' | 'default' | 'onReject' | 'branches'
>;

export interface Decision {
  option: string;
  form: { [key: string]: Json };
  /** Null: nobody, its time was over. */
  by: string | null;
  note: string | null;
}

export type FilledForm = { form: Decision['form'] } | { issues: ValidationIssue[] };

/** What was filled in for an option, with the defaults of the form; or what is wrong with it, by its place in the form. */
export function fillForm(
  request: Pick<ApprovalRequest, 'rejections' | 'form'>,
  option: string,
  given: unknown,
): FilledForm {
  const refuse = (message: string, path: string[] = []): FilledForm => ({ issues: [{ path, message }] });
  if (!isPlainObject(given)) return refuse('It must be an object.');
  if (request.form === null && Object.keys(given).length > 0) return refuse('This approval has no form.');
  const unstorable = findUnstorable(given);
  if (unstorable) return refuse(unstorable.message, unstorable.path);
  const form = given as Decision['form'];
  // Who says no need not fill it in
  if (request.rejections.includes(option)) return { form };
  const resolved = resolveParams(request.form, form);
  if (resolved.ok) return { form: resolved.params };
  return {
    issues: resolved.issues.map(({ path, message }) => ({ path: path.split('.').filter(Boolean), message })),
  };
}

export function decisionReport(
  request: Pick<ApprovalRequest, 'rejections' | 'onReject' | 'branches'>,
  { option, form, by, note }: Decision,
): Omit<TaskReport, 'dispatchId' | 'logBytes'> {
  const decision = { decision: option, by, form, note };
  const who = by ?? 'The timeout';
  // Of before there were branches it has none
  const branch = request.branches?.[option] ?? null;
  if (branch !== null || !request.rejections.includes(option))
    return {
      outcome: 'success',
      cause: 'ok',
      message: `${who} chose '${option}'.`,
      evidence: decision,
      xcoms: { return_value: decision },
      branch,
    };
  return {
    outcome: request.onReject === 'skip' ? 'skipped' : 'failed',
    cause: 'rejected',
    message: `${who} chose '${option}'.${note === null ? '' : ` ${note}`}`,
    evidence: decision,
    retryable: false,
  };
}

/** Of those who may edit at all. */
export const mayDecide = (
  { users, roles }: Pick<ApprovalRequest, 'users' | 'roles'>,
  viewer: { name: string; role: string },
): boolean =>
  (users.length === 0 && roles.length === 0) ||
  users.includes(viewer.name) ||
  roles.some((role) => role === viewer.role);
