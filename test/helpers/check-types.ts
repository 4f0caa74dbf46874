/** Type errors of DAG files, as an author of DAGs would see them. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';

const ROOT = join(import.meta.dirname, '../..');

/** By file: line (from 0) and message of each error. */
export function typeErrorsOf(files: readonly string[]): Map<string, { line: number; message: string }[]> {
  const config: unknown = ts.parseConfigFileTextToJson(
    'tsconfig.json',
    readFileSync(join(ROOT, 'tsconfig.json'), 'utf8'),
  ).config;
  const { options } = ts.parseJsonConfigFileContent({ ...(config as object), include: [], files: [] }, ts.sys, ROOT);
  const program = ts.createProgram([...files], {
    ...options,
    rootDir: '/',
    paths: { millrace: [join(ROOT, 'sdk/index.ts')], zod: [join(ROOT, 'node_modules/zod/index.d.ts')] },
    typeRoots: [join(ROOT, 'node_modules/@types')],
  });
  return new Map(files.map((file) => [file, diagnosticsOf(program, file)]));
}

function diagnosticsOf(program: ts.Program, file: string): { line: number; message: string }[] {
  const source = program.getSourceFile(file);
  if (!source) throw new Error(`TypeScript has not read ${file}.`);
  return [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)].map((found) => ({
    line: source.getLineAndCharacterOfPosition(found.start ?? 0).line,
    message: ts.flattenDiagnosticMessageText(found.messageText, '\n'),
  }));
}
