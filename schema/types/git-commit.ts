import { builder } from '../builder.ts';

export interface CommitColumns {
  commit_sha: string | null;
  commit_author: string | null;
  commit_message: string | null;
  commit_at: Date | null;
}

export const GitCommitType = builder.objectRef<CommitColumns>('GitCommit').implement({
  description: 'A commit of a Git repository.',
  authScopes: { read: true },
  fields: (t) => ({
    sha: t.string({ description: 'Its name, in hex.', resolve: ({ commit_sha }) => commit_sha ?? '' }),
    author: t.exposeString('commit_author', { nullable: true, description: 'Who wrote it: `Ada <ada@example.com>`.' }),
    message: t.exposeString('commit_message', { nullable: true, description: 'What its author says of it.' }),
    at: t.expose('commit_at', { type: 'DateTime', nullable: true, description: 'When it was made.' }),
  }),
});
