export interface ValidationIssue {
  path: string[];
  message: string;
}

/** All that is wrong with an input. */
export class ValidationError extends Error {
  readonly issues: ValidationIssue[];
  constructor(issues: ValidationIssue[]) {
    super(issues.map(({ path, message }) => (path.length > 0 ? `${path.join('.')}: ${message}` : message)).join('; '));
    this.name = 'ValidationError';
    this.issues = issues;
  }
}
