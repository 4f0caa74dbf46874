/** The examples of `dags/` that need no more than a cluster: what runs there, with an image that the nodes have. */
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { loadDagFile } from '#server/bundles/load-dag-file.ts';
import { describeCluster } from '../helpers/cluster.ts';
import { createTestDatabase } from '../helpers/database.ts';
import { createLaunching, type Launching } from '../helpers/launching.ts';

const database = await createTestDatabase();

describeCluster('examples', (cluster) => {
  let launching: Launching;
  beforeAll(async () => {
    launching = await createLaunching(database);
    const { kubeconfig } = cluster();
    const credentials = { kind: 'kubeconfig' as const, kubeconfig, context: 'loaded-context' };
    await launching.addCluster('default', credentials, { namespaces: [cluster().namespace] });
    await launching.launch();
  });
  afterAll(() => launching.stop());

  /** Its first task alone: the others are for a worker. */
  async function startFirst(file: string): Promise<number> {
    const { dags } = await loadDagFile(join(import.meta.dirname, '../../dags', file));
    const { spec } = dags[0]!;
    const params = JSON.parse(JSON.stringify(spec.params)) as { properties: { image: { default: string } } };
    params.properties.image.default = cluster().image;
    return launching.start({ ...spec, params, tasks: spec.tasks.slice(0, 1) } as never);
  }

  it('kubernetes_hello says hello and hands on where it was', async () => {
    const runId = await startFirst('kubernetes_hello.ts');
    expect(await launching.ended(runId)).toEqual({ hello: 'success' });
    expect(await launching.output(runId)).toEqual([expect.stringMatching(/^Hello, world, from Pod kubernetes-hello-/)]);
    expect(await launching.xcoms(runId)).toMatchObject({ return_value: { host: expect.any(String) as string } });
  });

  it('kubernetes_job has its Job succeed in as many Pods as are asked for', async () => {
    const runId = await startFirst('kubernetes_job.yaml');
    expect(await launching.ended(runId)).toEqual({ count: 'success' });
    expect(await launching.xcoms(runId)).toEqual({ return_value: 3 });
  });
});
