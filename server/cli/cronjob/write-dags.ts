import { Document } from 'yaml';
import type { ImportedDag } from './cronjob-dag.ts';

/** The DAGs as a YAML file, a document each; what could not be carried over stands above it. */
export const writeDags = (dags: readonly ImportedDag[]): string => dags.map(writeDag).join('---\n');

function writeDag({ spec, findings }: ImportedDag): string {
  const document = new Document(spec);
  if (findings.length > 0)
    document.commentBefore = ['', 'Not carried over:', ...findings.map(({ path, message }) => `  ${path}: ${message}`)]
      .map((line) => (line ? ` ${line}` : ''))
      .slice(1)
      .join('\n');
  return document.toString({ lineWidth: 120 });
}
