/** A warm Node process that runs the TypeScript tasks of one bundle, one after another. */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { startNodeChild } from './node-child-main.ts';
import { resultOf } from './node-child-result.ts';

startNodeChild(async ({ bundleDir, env: variables }) => {
  const module = (await import(pathToFileURL(join(bundleDir, 'dag.mjs')).href)) as object;
  const env = Object.freeze(variables);
  return ({ dispatch }, signal) => resultOf(module, dispatch, { signal, bundleDir, env });
});
