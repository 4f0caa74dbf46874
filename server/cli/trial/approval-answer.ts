/** An answer to an approval, checked as the service checks it. Pure. */
import type { ApprovalRequest } from '#schema/approval-decision.ts';
import { resolveParams } from '#sdk/params.ts';
import type { Json } from '#sdk/protocol.ts';

export interface Answer {
  option: string;
  form: { [name: string]: Json };
}

/** The answer with the defaults of the form, or a line for each thing that is wrong with what was filled in. */
export function fillIn(
  request: Pick<ApprovalRequest, 'rejections' | 'form'>,
  option: string,
  form: Json,
): Answer | { issues: string[] } {
  if (typeof form !== 'object' || form === null || Array.isArray(form)) return { issues: ['  It must be an object.'] };
  if (request.form === null && Object.keys(form).length > 0) return { issues: ['  It has no form.'] };
  // Who says no need not fill it in
  if (request.rejections.includes(option)) return { option, form };
  const filled = resolveParams(request.form, form);
  if (filled.ok) return { option, form: filled.params };
  return { issues: filled.issues.map(({ path, message }) => `  ${path || 'form'}: ${message}`) };
}
