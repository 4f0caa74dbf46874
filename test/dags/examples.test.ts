import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadDagFile } from '#server/bundles/load-dag-file.ts';
import { unpackBundle } from '#server/bundles/unpack-bundle.ts';

const DAGS = join(import.meta.dirname, '../../dags');
const hasPython = spawnSync('python3', ['--version']).status === 0;
let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'millrace-examples-'));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

test.each(readdirSync(DAGS).filter((name) => /\.(ts|yaml)$/.test(name)))('%s loads', async (name) => {
  const loaded = await loadDagFile(join(DAGS, name));
  expect(loaded.errors).toEqual([]);
  const [first, ...more] = loaded.dags.map((dag) => dag.spec.dagId);
  expect(first).toBe(name.replace(/\.\w+$/, ''));
  expect(more.filter((dagId) => !dagId.startsWith(`${first}_`))).toEqual([]);
  const runsCode = loaded.dags[0]?.spec.tasks.some(({ kind }) => kind === 'typescript' || kind === 'python');
  expect(loaded.dags[0]?.bundle !== null).toBe(runsCode);
});

/** Calls the functions as the DAG wires them. */
const PIPELINE = `
import json, sys
sys.path.insert(0, sys.argv[1])
import ml_training as ml
params = json.loads(sys.argv[2])
data = ml.preprocess()
model = ml.train(data, params)
scores = ml.evaluate(data, model)
try:
    approved = ml.approve(scores, params)
    path = ml.deploy(model, scores, params, "test")["path"]
except ml.Skip as reason:
    approved, path = str(reason), None
print(json.dumps({"scores": scores, "approved": approved, "path": path, "bytes": len(json.dumps(data))}))
`;

describe.runIf(hasPython)('ml_training', () => {
  const train = (params: object) => {
    const env = { PYTHONPATH: join(import.meta.dirname, '../../sdk/python'), PYTHONDONTWRITEBYTECODE: '1' };
    const given = { epochs: 300, learningRate: 0.5, minAccuracy: 0.7, folder: join(dir, 'models'), ...params };
    const { stdout, stderr } = spawnSync('python3', ['-c', PIPELINE, dir, JSON.stringify(given)], {
      env,
      encoding: 'utf8',
    });
    const last = stdout.trim().split('\n').at(-1) ?? '';
    if (!last.startsWith('{')) throw new Error(`${stdout}\n${stderr}`);
    return JSON.parse(last) as {
      scores: { accuracy: number; baseline: number };
      approved: true | string;
      path: string | null;
      bytes: number;
    };
  };
  beforeAll(async () => {
    const loaded = await loadDagFile(join(DAGS, 'ml_training.yaml'));
    await unpackBundle(loaded.dags[0]!.bundle!.archive, dir);
  });

  test('learns: better than the baseline on days it has not seen, and is deployed', () => {
    const { scores, approved, path, bytes } = train({});
    expect(scores.accuracy).toBeGreaterThan(scores.baseline + 0.05);
    expect(approved).toBe(true);
    expect(JSON.parse(readFileSync(path ?? '', 'utf8'))).toMatchObject({ run: 'test', scores });
    expect(bytes).toBeLessThan(200_000);
  });
  test('is rejected when more is asked for than it can', () => {
    expect(train({ minAccuracy: 0.99 })).toMatchObject({
      approved: expect.stringMatching(/is not good enough/) as string,
      path: null,
    });
  });
});
