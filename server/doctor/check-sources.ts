/** Whether clusters, repositories and DAG files are as they should be. */
import type { SourceFacts } from '#db/queries/doctor/source-facts.ts';
import type { Finding } from '#schema/doctor.ts';

const KINDS: Record<SourceFacts['kind'], Pick<Finding, 'severity' | 'advice'>> = {
  cluster: { severity: 'error', advice: 'See "millrace cluster list" for what it lacks; tasks for it wait meanwhile.' },
  git: { severity: 'error', advice: 'Mend its address or its credentials; the DAGs of its last commit stay deployed.' },
  import: { severity: 'warning', advice: 'Mend the file; what was deployed from it before stays.' },
};

const MOST_CHARACTERS = 300;

export const judgeSources = (found: readonly SourceFacts[]): Finding[] =>
  found.map(({ kind, where, message }) => ({ ...KINDS[kind], where, what: message.slice(0, MOST_CHARACTERS) }));
