import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { validateDagSpec } from '#sdk/validate-dag-spec.ts';
import { cronJobDag } from '#server/cli/cronjob/cronjob-dag.ts';
import { readManifests } from '#server/cli/cronjob/read-manifests.ts';
import { escapeTemplate } from '#server/cli/cronjob/pod-task.ts';
import { renderTemplate } from '#server/operators/render-template.ts';
import { runCli } from '../../../helpers/cli.ts';

const root = mkdtempSync(join(tmpdir(), 'millrace-cronjob-'));
const manifests = join(import.meta.dirname, 'manifests.yaml');
afterAll(() => rmSync(root, { recursive: true, force: true }));

const cronJob = (spec: object, pod: object = {}, job: object = {}) => ({
  kind: 'CronJob',
  metadata: { name: 'x' },
  spec: {
    schedule: '@daily',
    ...spec,
    jobTemplate: {
      spec: { ...job, template: { spec: { containers: [{ name: 'c', image: 'i', command: ['true'] }], ...pod } } },
    },
  },
});
const pathsOf = (manifest: object) => cronJobDag(manifest as never).findings.map((finding) => finding.path);

describe('cronJobDag', () => {
  it.each([
    ['Allow', undefined],
    ['Forbid', 'skip'],
    ['Replace', 'cancel_running'],
  ])('concurrencyPolicy %s is overlap %s', (concurrencyPolicy, overlap) => {
    expect(cronJobDag(cronJob({ concurrencyPolicy })).spec['overlap']).toBe(overlap);
  });

  it('tries as often as Kubernetes, with its delays: six times again when nothing is said', () => {
    const retriesOf = (job: object) => cronJobDag(cronJob({}, {}, job)).spec.tasks[0];
    expect(retriesOf({})).toMatchObject({ retries: 6, retryDelay: '10s', retryBackoff: 2, maxRetryDelay: '6m' });
    expect(retriesOf({ backoffLimit: 0 })).not.toHaveProperty('retries');
  });

  it('the deadline of the job holds for the run and for each try', () => {
    const { spec } = cronJobDag(cronJob({}, { activeDeadlineSeconds: 60 }, { activeDeadlineSeconds: 90 }));
    expect(spec).toMatchObject({ dagrunTimeout: 90, tasks: [{ executionTimeout: 60 }] });
  });

  it('says nothing about what has a counterpart or is a default, and names each other field by its path', () => {
    expect(
      pathsOf(cronJob({ timeZone: 'UTC', suspend: false }, { restartPolicy: 'Never', dnsPolicy: 'ClusterFirst' })),
    ).toEqual([]);
    const two = { containers: [{ name: 'c' }, { name: 'proxy' }] };
    expect(pathsOf(cronJob({ novel: 1 }, two, { completions: 3 })).sort()).toEqual([
      'spec.jobTemplate.spec.completions',
      'spec.jobTemplate.spec.template.spec.containers[1]',
      'spec.novel',
    ]);
  });

  it('what tasks have no field for stays in a template, and variables that refer to others keep their order', () => {
    const container = { name: 'c', image: 'i', workingDir: '/app', resources: { limits: { cpu: '1' } } };
    const taskOf = (env: object[], pod: object = {}) =>
      cronJobDag(cronJob({}, { containers: [{ ...container, env }], ...pod })).spec.tasks[0];
    const reference = [
      { name: 'A', value: 'x' },
      { name: 'B', value: '$(A)/y' },
    ];
    expect(taskOf(reference, { hostNetwork: true, serviceAccountName: 'me' })).toMatchObject({
      kind: 'pod',
      image: 'i',
      serviceAccount: 'me',
      resources: { limits: { cpu: '1' } },
      template: { spec: { hostNetwork: true, containers: [{ name: 'base', workingDir: '/app', env: reference }] } },
    });
    const from = (kind: string, reference: object) => ({ name: 'X', valueFrom: { [kind]: reference } });
    expect(taskOf([from('secretKeyRef', { name: 's', key: 'k' })])).toMatchObject({
      env: { X: { secret: 's', key: 'k' } },
    });
    expect(taskOf([from('fieldRef', { fieldPath: 'status.podIP' })])).toMatchObject({
      env: { X: { field: 'status.podIP' } },
    });
    expect(taskOf([from('resourceFieldRef', { resource: 'limits.cpu', divisor: '1' })])).not.toHaveProperty('env');
  });

  it('any manifest, however odd, makes a DAG or tells why not, and never throws', () => {
    const odd = fc.oneof(fc.string(), fc.integer(), fc.constant(null), fc.array(fc.anything()), fc.object());
    const manifest = fc.record({
      metadata: odd,
      spec: fc.oneof(odd, fc.record({ schedule: odd, jobTemplate: odd, suspend: odd })),
    });
    fc.assert(
      fc.property(manifest, (value) => {
        const { spec } = cronJobDag(value as never);
        validateDagSpec(spec);
      }),
    );
  });
});

describe('a text of a manifest', () => {
  it('comes out of the template as it went in', () => {
    const text = fc.string({
      unit: fc.constantFrom('{', '}', '%', '#', 'a', "'", '"', '{{', '{%', '{#'),
      minLength: 1,
    });
    fc.assert(
      fc.property(text, (written) => {
        expect(renderTemplate(escapeTemplate(written), () => undefined)).toBe(written);
      }),
    );
  });
});

describe('millrace import cronjob', { timeout: 60_000 }, () => {
  it('writes DAGs that are valid, with all that was left out above each', async () => {
    const out = join(root, 'dags.yaml');
    const ended = await runCli(['import', 'cronjob', manifests, '--out', out]);
    expect(ended).toMatchObject({ code: 0, stdout: '' });
    expect(ended.stderr).toMatch(/Service web is no CronJob/);
    expect(ended.stderr).toMatch(/nightly-report: spec\.jobTemplate\.spec\.template\.spec\.containers\[1\]: /);
    expect(readFileSync(out, 'utf8')).toBe(readFileSync(join(import.meta.dirname, 'dags.generated.yaml'), 'utf8'));
    expect(await runCli(['validate', out])).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('nightly-report (1 task), ping (1 task)'),
    });
    expect(await runCli(['import', 'cronjob', manifests, '--out', out])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('it is there already'),
    });
  });

  it('tells the same as JSON, and gives two of one name their namespaces', async () => {
    const twins = join(root, 'twins.json');
    const twin = (namespace: string) => ({ ...cronJob({}), metadata: { name: 'x', namespace } });
    writeFileSync(
      twins,
      JSON.stringify({ kind: 'CronJobList', items: [twin('a'), { ...twin('b'), kind: undefined }] }),
    );
    const ended = await runCli(['import', 'cronjob', twins, '--json']);
    expect(JSON.parse(ended.stdout)).toMatchObject([
      { spec: { dagId: 'a.x' }, warnings: [] },
      { spec: { dagId: 'b.x' } },
    ]);
  });

  it('says where a text is no manifest', async () => {
    const broken = join(root, 'broken.yaml');
    writeFileSync(broken, 'kind: [\n');
    expect(await runCli(['import', 'cronjob', broken])).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/broken\.yaml: .*line 2/s),
    });
    writeFileSync(broken, 'kind: Job\n');
    expect(await runCli(['import', 'cronjob', broken])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('There is no CronJob'),
    });
  });

  it('refuses a CronJob that is there twice, and aliases beyond measure', async () => {
    const job = JSON.stringify(cronJob({}));
    const twice = join(root, 'twice.yaml');
    writeFileSync(twice, `${job}\n---\n${job}`);
    expect(await runCli(['import', 'cronjob', twice])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('has two CronJobs for the DAG'),
    });
    const levels = Array.from({ length: 8 }, (_, n) => `a${n + 1}: &a${n + 1} [${Array(9).fill(`*a${n}`).join()}]`);
    expect(() => readManifests(['a0: &a0 [x]', ...levels].join('\n'), 'bomb.yaml')).toThrow(
      /^bomb\.yaml cannot be read: .*Write out what its YAML aliases stand for\.$/,
    );
  });

  it('reads what lists hold', () => {
    const { cronJobs, findings } = readManifests(
      'kind: List\nitems: [{ kind: CronJob }, { kind: Pod, metadata: { name: p } }, 3]\n---\n',
      'x',
    );
    expect(cronJobs).toHaveLength(1);
    expect(findings.map(({ path }) => path)).toEqual(['document 1, items[1]', 'document 1, items[2]']);
  });
});
