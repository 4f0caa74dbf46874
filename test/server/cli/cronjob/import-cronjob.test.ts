import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { validateDagSpec } from '#sdk/validate-dag-spec.ts';
import { cronJobDag } from '#server/cli/cronjob/cronjob-dag.ts';
import { readManifests } from '#server/cli/cronjob/read-manifests.ts';
import { escapeTemplate, scriptOf, shellWord, withReferences } from '#server/cli/cronjob/shell.ts';
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
    jobTemplate: { spec: { ...job, template: { spec: { containers: [{ name: 'c', command: ['true'] }], ...pod } } } },
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
    expect(pathsOf(cronJob({ novel: 1 }, { dnsPolicy: 'None', volumes: [] }, { completions: 3 })).sort()).toEqual([
      'spec.jobTemplate.spec.completions',
      'spec.jobTemplate.spec.template.spec.dnsPolicy',
      'spec.jobTemplate.spec.template.spec.volumes',
      'spec.novel',
    ]);
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

describe('the shell that stands for a container', () => {
  it('gets the very words that the container would have got', () => {
    const word = fc.string({
      unit: fc.constantFrom(...`ab $'"\\\`(){}*?~!#&;|<>\n$(KNOWN)`, '$(KNOWN)', '$$(KNOWN)', '$(other)'),
    });
    const inKubernetes = (text: string) => withReferences(text, new Set(['KNOWN'])).replaceAll('${KNOWN}', 'the value');
    // What is written `${KNOWN}` is text to Kubernetes, and would look like our own.
    const words = fc.array(
      word.filter((text) => !text.includes('${')),
      { minLength: 1, maxLength: 60, size: 'max' },
    );
    fc.assert(
      fc.property(words, (list) => {
        const script = `printf '%s\\0' ${list.map((text) => shellWord(text, new Set(['KNOWN']))).join(' ')}`;
        const output = execFileSync('bash', ['--norc', '-c', script], {
          encoding: 'utf8',
          env: { KNOWN: 'the value' },
        });
        expect(output.split('\0').slice(0, -1)).toEqual(list.map(inKubernetes));
      }),
      { numRuns: 40 },
    );
  });

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

  it('is the script itself where the container runs one', () => {
    expect(scriptOf(['/bin/sh', '-c', 'echo a'])).toBe('echo a');
    expect(scriptOf(['bash', '-euxc', 'echo a'])).toBe('echo a');
    expect(scriptOf(['sh', '-c', 'echo $1', 'x', 'y'])).toBeNull();
    expect(scriptOf(['python', '-c', 'print(1)'])).toBeNull();
  });
});

describe('millrace import cronjob', { timeout: 60_000 }, () => {
  it('writes DAGs that are valid, with all that was left out above each', async () => {
    const out = join(root, 'dags.yaml');
    const ended = await runCli(['import', 'cronjob', manifests, '--out', out]);
    expect(ended).toMatchObject({ code: 0, stdout: '' });
    expect(ended.stderr).toMatch(/Service web is no CronJob/);
    expect(ended.stderr).toMatch(/nightly-report: spec\.jobTemplate\.spec\.template\.spec\.volumes: /);
    expect(readFileSync(out, 'utf8')).toBe(readFileSync(join(import.meta.dirname, 'dags.generated.yaml'), 'utf8'));
    expect(await runCli(['validate', out])).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('nightly-report (2 tasks), ping (1 task)'),
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

  it('reads what lists hold', () => {
    const { cronJobs, findings } = readManifests(
      'kind: List\nitems: [{ kind: CronJob }, { kind: Pod, metadata: { name: p } }, 3]\n---\n',
      'x',
    );
    expect(cronJobs).toHaveLength(1);
    expect(findings.map(({ path }) => path)).toEqual(['document 1, items[1]', 'document 1, items[2]']);
  });
});
