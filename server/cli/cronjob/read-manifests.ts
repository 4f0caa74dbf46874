import { parseAllDocuments } from 'yaml';
import { CommandError } from '../command-error.ts';
import { isPlain, type Finding, type Plain } from './manifest-fields.ts';

/** A few are a convenience, thousands within each other fill the memory. */
const MOST_ALIASES = 1_000;

export interface Manifests {
  cronJobs: Plain[];
  /** Of objects that are no CronJobs. */
  findings: Finding[];
}

/** All CronJobs of a YAML or JSON text: of several documents, and inside lists. */
export function readManifests(text: string, source: string): Manifests {
  const documents = parseAllDocuments(text);
  const list = Array.isArray(documents) ? documents : [documents];
  const errors = list.flatMap((document) => document.errors);
  if (errors.length > 0) throw new CommandError(errors.map((error) => `${source}: ${error.message}`).join('\n'));
  const found: Manifests = { cronJobs: [], findings: [] };
  list.forEach((document, index) => {
    const value = valueOf(() => document.toJS({ maxAliasCount: MOST_ALIASES }), source);
    if (value !== null && value !== undefined) collect(value, `document ${index + 1}`, found);
  });
  return found;
}

function valueOf(read: () => unknown, source: string): unknown {
  try {
    return read();
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new CommandError(`${source} cannot be read: ${why}. Write out what its YAML aliases stand for.`, { cause });
  }
}

function collect(value: unknown, place: string, found: Manifests): void {
  const kind = isPlain(value) && typeof value['kind'] === 'string' ? value['kind'] : null;
  if (!isPlain(value) || kind === null)
    return void found.findings.push({ path: place, message: 'It is no object of Kubernetes.' });
  if (kind === 'CronJob') return void found.cronJobs.push(value);
  if (/List$/.test(kind) && Array.isArray(value['items']))
    return value['items'].forEach((item, index) => {
      // The items of a CronJobList need not say what they are.
      const typed: unknown =
        isPlain(item) && item['kind'] === undefined ? { ...item, kind: kind.replace(/List$/, '') } : item;
      collect(typed, `${place}, items[${index}]`, found);
    });
  const name = isPlain(value['metadata']) ? String(value['metadata']['name'] ?? '') : '';
  found.findings.push({ path: place, message: `${kind} ${name} is no CronJob: it is left out.` });
}
