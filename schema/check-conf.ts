/** The conf of a trigger against the DAG's params schema. */
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import type { CompiledDag } from '#db/engine/compiled-dag.ts';
import type { Json } from '#sdk/protocol.ts';
import { findUnstorable } from '#sdk/storable.ts';
import type { ValidationIssue } from './validation-error.ts';

/** Bytes of JSON. */
const MOST_BYTES = 64 * 1024;
export type Conf = { [key: string]: Json };

/** A version never changes, so neither does its validator. */
const validators = new WeakMap<CompiledDag, ValidateFunction>();

function validatorOf(dag: CompiledDag, params: Conf): ValidateFunction {
  const known = validators.get(dag);
  if (known) return known;
  const ajv = new Ajv2020({ allErrors: true, strict: false, useDefaults: true, ownProperties: true });
  addFormats.default(ajv);
  const made = ajv.compile(params);
  validators.set(dag, made);
  return made;
}

/** The mistakes in it; none when it fits. Defaults count as given. */
export function checkConf(dag: CompiledDag, conf: unknown): ValidationIssue[] {
  const root = ['input', 'conf'];
  if (conf === null || typeof conf !== 'object' || Array.isArray(conf))
    return [{ path: root, message: 'must be an object' }];
  const text = JSON.stringify(conf);
  if (Buffer.byteLength(text) > MOST_BYTES)
    return [{ path: root, message: `must be at most ${MOST_BYTES / 1024} KiB of JSON` }];
  const unstorable = findUnstorable(conf);
  if (unstorable) return [{ path: [...root, ...unstorable.path], message: unstorable.message }];
  if (dag.params === null) return [];
  const validate = validatorOf(dag, dag.params);
  // A copy: the defaults are filled in while checking, and belong to the run's params, not to its conf
  if (validate(JSON.parse(text))) return [];
  return (validate.errors ?? []).map((error) => ({
    path: [...root, ...pathOf(error.instancePath), ...missingName(error.params)],
    message: error.message ?? 'is not valid',
  }));
}

const pathOf = (pointer: string): string[] =>
  pointer
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));

const missingName = (params: { [key: string]: unknown }): string[] => {
  const name = params['missingProperty'] ?? params['additionalProperty'];
  return typeof name === 'string' ? [name] : [];
};
