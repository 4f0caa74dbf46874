/** Where the task of a Pod leaves its result. */
import type { PodResult } from './kubernetes-spec.ts';
import {
  boolean,
  fieldsSchema,
  isPlainObject,
  show,
  text,
  type Field,
  type Plain,
  type Report,
} from './spec-fields.ts';

const optional: Field = { ...boolean, fallback: () => false };
/** An empty volume in their place would leave nothing of an image. */
const OF_THE_IMAGE = new Set(['bin', 'boot', 'etc', 'home', 'lib', 'lib64', 'opt', 'root', 'sbin', 'usr', 'var']);
const OF_THE_KERNEL = new Set(['dev', 'proc', 'sys']);

/** `/dev/termination-log` of the container, or another file. */
export const podResult: Field<PodResult | null> = {
  schema: {
    anyOf: [{ const: 'termination' }, fieldsSchema({ file: text(4_000), collect: optional }), { type: 'null' }],
  },
  fallback: () => null,
  read(value, path, report) {
    if (value === null || value === 'termination') return value;
    const { file, collect = false, ...more } = isPlainObject(value) ? value : ({} as Plain);
    if (typeof file !== 'string' || Object.keys(more).length > 0)
      report(path(), `${show(value)} is not a result. Write 'termination' or { file: '/path', collect: true }.`);
    else checkFile(file, collect === true, `${path()}.file`, report);
    return {
      file: typeof file === 'string' ? file : '',
      collect: boolean.read(collect, () => `${path()}.collect`, report),
    };
  },
};

function checkFile(file: string, collect: boolean, path: string, report: Report): void {
  if (!/^\/[^\0]{1,3999}$/.test(file)) report(path, `${show(file)} is not an absolute path.`);
  else if (collect && !hasOwnFolder(file))
    report(
      path,
      `${show(file)} is not in a folder of its own, which is shared: write a path such as /results/out.json.`,
    );
}

/** Mounts have no colon in their paths. */
function hasOwnFolder(file: string): boolean {
  const [, first = '', ...names] = file.split('/');
  const isPath = [first, ...names].every((name) => name !== '' && name !== '.' && name !== '..') && !file.includes(':');
  return isPath && names.length > 0 && !OF_THE_KERNEL.has(first) && !(names.length === 1 && OF_THE_IMAGE.has(first));
}
