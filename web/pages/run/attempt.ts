import type { TaskDetailsQuery } from '../../graphql/documents/runs.ts';
import type { ResultOf } from '../../graphql/graphql.ts';

/** A try that has ended. */
export type Attempt = NonNullable<ResultOf<typeof TaskDetailsQuery>['taskInstance']>['tries'][number];
