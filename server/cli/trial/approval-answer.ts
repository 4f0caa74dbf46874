import type { Decision } from '#schema/approval-decision.ts';
import type { ValidationIssue } from '#schema/validation-error.ts';

/** What an approval of a trial is told. */
export type Answer = Pick<Decision, 'option' | 'form'>;

/** What is wrong with the form that was filled in, for the terminal. */
export const issueLines = (issues: readonly ValidationIssue[]): string[] =>
  issues.map(({ path, message }) => `  ${path.length > 0 ? `${path.join('.')}: ` : ''}${message}`);
