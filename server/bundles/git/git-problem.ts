/** Why a repository could not be read, for the people who keep it: what, where, and what to do. Never a secret. */
export class GitProblem extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'GitProblem';
  }
}
