/** DAGs written as YAML or JSON: one document is one DAG. */
import { readFileSync } from 'node:fs';
import { isNode, LineCounter, parseAllDocuments, type Document } from 'yaml';
import type { LoadError } from './bundle-source.ts';
import type { RawDag } from './loaded-file.ts';
import type { Place } from './place-in-source.ts';

export function readSpecFile(path: string): { dags: RawDag[]; errors: LoadError[] } {
  const text = readFileSync(path, 'utf8');
  const lines = new LineCounter();
  // The limit on aliases keeps a few lines from becoming millions of nodes.
  const documents = parseAllDocuments(text, { lineCounter: lines });
  const list = Array.isArray(documents) ? documents : [documents];
  const errors = list.flatMap((document) =>
    document.errors.map((error) => ({
      message: `${error.message.split(/ at line \d+/)[0] ?? error.message}.`,
      file: path,
      line: error.linePos?.[0].line ?? null,
      column: error.linePos?.[0].col ?? null,
    })),
  );
  if (errors.length > 0) return { dags: [], errors };
  const dags = list.map((document): RawDag => {
    const value: unknown = document.toJS({ maxAliasCount: 1000 });
    const { files, ...spec } = (typeof value === 'object' && value !== null ? value : {}) as { files?: unknown };
    return {
      spec: typeof value === 'object' && value !== null && !Array.isArray(value) ? spec : value,
      files: Array.isArray(files) ? files.map(String) : typeof files === 'string' ? [files] : [],
      place: (issue) => placeOf(document, lines, issue.path),
    };
  });
  return { dags, errors: [] };
}

const keysOf = (path: string): (string | number)[] =>
  [...path.matchAll(/\[(\d+)\]|([^.[\]]+)/g)].map((match) =>
    match[1] === undefined ? (match[2] ?? '') : Number(match[1]),
  );

/** The node of the issue's path, or the nearest one around it. */
function placeOf(document: Document.Parsed, lines: LineCounter, path: string): Place {
  for (let keys = keysOf(path); ; keys = keys.slice(0, -1)) {
    const node = keys.length > 0 ? document.getIn(keys, true) : document.contents;
    if (isNode(node) && node.range) {
      const { line, col } = lines.linePos(node.range[0]);
      return { line, column: col };
    }
    if (keys.length === 0) return { line: null, column: null };
  }
}
