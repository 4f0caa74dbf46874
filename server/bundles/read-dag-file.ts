/** Reads one DAG file of any kind. Runs in the loader's child process: it executes what the file says. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, extname, join, relative, resolve, sep } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { DagSpec } from '#sdk/dag-spec.ts';
import { prepareParams } from '#sdk/params.ts';
import { dagsOf } from '#sdk/run-task.ts';
import { runtimeOf } from '#sdk/task-code.ts';
import { validateDagSpec } from '#sdk/validate-dag-spec.ts';
import { collectFiles } from './bundle-files.ts';
import { isOwnFile, type BundledSource, type LoadError } from './bundle-source.ts';
import { errorOf } from './load-error.ts';
import { SOURCE_EXTENSIONS, SPEC_EXTENSIONS, type LoadedFileMessage, type RawDag } from './loaded-file.ts';
import { placeInSource } from './place-in-source.ts';
import { requirementPlaces } from './python-requirements.ts';
import { packBundle, type BundleFile } from './pack-bundle.ts';

interface RawFile {
  dags: RawDag[];
  errors: LoadError[];
  inputs: string[];
  code: string | null;
}

/** `bundle` gives the bundled source. Files above `root` may not be read; a requirements.txt is looked for up to `top`. */
export async function readDagFile(
  path: string,
  bundle: () => Promise<BundledSource>,
  { root, top }: { root?: string; top: string },
): Promise<LoadedFileMessage> {
  const raw = await readRaw(path, bundle);
  const { specs, errors } = validateAll(raw.dags, path);
  const failed = [...raw.errors, ...errors, ...(root === undefined ? [] : foreignInputs(path, raw.inputs, root))];
  if (failed.length === 0 && raw.dags.length === 0) failed.push(noDags(path));
  if (failed.length > 0) return { dags: [], bundle: null, errors: failed, inputs: raw.inputs };

  const collected = collectFiles(
    path,
    specs,
    raw.dags.flatMap((dag) => dag.files),
    top,
  );
  const hasPython = specs.some((spec) => spec.tasks.some((task) => runtimeOf(task) === 'python'));
  const places = hasPython ? requirementPlaces(dirname(path), top) : [];
  const inputs = [...new Set([...raw.inputs, ...collected.map((file) => file.source), ...places])];
  const files: BundleFile[] = [...collected];
  const hasCode = specs.some((spec) => spec.tasks.some((task) => runtimeOf(task) === 'typescript'));
  if (hasCode && raw.code !== null) files.push(codeFile(raw.code));
  const packed = files.length > 0 ? await packBundle(files) : null;
  const dags = specs.map((spec, index) => ({ spec, bundled: packed !== null && needsBundle(spec, raw.dags[index]) }));
  return {
    dags,
    bundle: packed && { hash: packed.hash, archive: packed.archive.toString('base64') },
    errors: [],
    inputs,
  };
}

async function readRaw(path: string, bundle: () => Promise<BundledSource>): Promise<RawFile> {
  if (!existsSync(path)) return { dags: [], errors: [at(path, 'There is no such file.')], inputs: [], code: null };
  const extension = extname(path);
  if (SPEC_EXTENSIONS.includes(extension)) {
    const { readSpecFile } = await import('./load-spec-file.ts');
    return { ...readSpecFile(path), inputs: [path], code: null };
  }
  if (SOURCE_EXTENSIONS.includes(extension)) {
    const bundling = bundle();
    // While esbuild works in its process
    if (/\bparams\s*:/.test(readFileSync(path, 'utf8'))) prepareParams();
    return readSourceFile(path, await bundling);
  }
  const known = [...SOURCE_EXTENSIONS, ...SPEC_EXTENSIONS].join(', ');
  return { dags: [], errors: [at(path, `A DAG file ends in one of ${known}.`)], inputs: [path], code: null };
}

async function readSourceFile(path: string, bundled: BundledSource): Promise<RawFile> {
  if (!bundled.ok) return { dags: [], errors: bundled.errors, inputs: [path], code: null };
  const { code, inputs } = bundled;
  const text = readFileSync(path, 'utf8');
  const folder = mkdtempSync(join(tmpdir(), 'millrace-dag-'));
  try {
    writeFileSync(join(folder, 'dag.mjs'), code);
    const module = (await import(pathToFileURL(join(folder, 'dag.mjs')).href)) as object;
    const dags = dagsOf(module).map(({ spec, files }): RawDag => ({
      spec,
      files,
      place: (issue) => placeInSource(text, issue, spec),
    }));
    return { dags, errors: [], inputs, code };
  } catch (error) {
    const { file, ...rest } = errorOf(error, path);
    // The source map's paths count from the copy; lead them back to the file's folder.
    const original = file === null || file === path ? path : resolve(dirname(path), relative(folder, file));
    return { dags: [], errors: [{ file: original, ...rest }], inputs, code };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function validateAll(dags: readonly RawDag[], path: string): { specs: DagSpec[]; errors: LoadError[] } {
  const specs: DagSpec[] = [];
  const errors: LoadError[] = [];
  for (const dag of dags) {
    const result = validateDagSpec(dag.spec);
    if (result.ok) {
      if (specs.some((spec) => spec.dagId === result.spec.dagId))
        errors.push(at(path, `The file has two DAGs with the id '${result.spec.dagId}'.`));
      specs.push(result.spec);
      continue;
    }
    const name = nameOf(dag.spec);
    for (const issue of result.issues)
      errors.push({
        message: [name, issue.path, issue.message].filter(Boolean).join(': '),
        file: path,
        ...dag.place(issue),
      });
  }
  return { specs, errors };
}

/** An import may lead out of the source by `..`; packages of Millrace itself are everybody's. */
function foreignInputs(path: string, inputs: readonly string[], root: string): LoadError[] {
  const isOwn = (input: string) => input.startsWith(root + sep) || isOwnFile(input);
  const foreign = inputs.filter((input) => !isOwn(input));
  return foreign.map((input) =>
    at(path, `It imports ${relative(root, input)}, which lies outside of the source: put what it needs beside it.`),
  );
}

const nameOf = (spec: unknown): string => {
  const dagId = typeof spec === 'object' && spec !== null && 'dagId' in spec ? spec.dagId : null;
  return typeof dagId === 'string' ? `DAG '${dagId}'` : '';
};

function needsBundle(spec: DagSpec, raw: RawDag | undefined): boolean {
  const usesFiles = spec.tasks.some((task) => runtimeOf(task) !== null);
  return usesFiles || (raw?.files.length ?? 0) > 0;
}

const codeFile = (code: string): BundleFile => ({ path: 'dag.mjs', content: Buffer.from(code), executable: false });

const at = (file: string, message: string): LoadError => ({ message, file, line: null, column: null });

const noDags = (path: string): LoadError =>
  at(path, `The file exports no DAG. Write 'export default dag(…)', with dag from 'millrace'.`);
