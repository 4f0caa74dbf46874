/** What loading a DAG file gives, between its child process and the parent. */
import type { DagSpec } from '#sdk/dag-spec.ts';
import type { SpecIssue } from '#sdk/validate-dag-spec.ts';
import type { LoadError } from './bundle-source.ts';
import type { Place } from './place-in-source.ts';
import type { Bundle } from './pack-bundle.ts';

export const SOURCE_EXTENSIONS = ['.ts', '.mts', '.js', '.mjs'];
export const SPEC_EXTENSIONS = ['.yaml', '.yml', '.json'];

/** A DAG as a file has it, before validation. */
export interface RawDag {
  spec: unknown;
  files: readonly string[];
  place(issue: SpecIssue): Place;
}

export interface LoadedDag {
  spec: DagSpec;
  /** Null when no task needs a file or code. */
  bundle: Bundle | null;
}
export interface LoadedFile {
  dags: LoadedDag[];
  /** When there are any, `dags` is empty: a file is taken whole or not at all. */
  errors: LoadError[];
  /** All files that were read: when one changes, load again. */
  inputs: string[];
}

/** As it goes through the pipe: the archive once, in base64. */
export interface LoadedFileMessage {
  dags: { spec: DagSpec; bundled: boolean }[];
  bundle: { hash: string; archive: string } | null;
  errors: LoadError[];
  inputs: string[];
}
