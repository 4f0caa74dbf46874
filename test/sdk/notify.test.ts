import { describe, expect, it } from 'vitest';
import { validateDagSpec } from '#sdk/validate-dag-spec.ts';

const specOf = (more: object, ofTask: object = {}) =>
  validateDagSpec({ dagId: 'd', ...more, tasks: [{ taskId: 'a', kind: 'bash', command: 'true', ...ofTask }] });
const to = { connection: 'x' };

describe('notify and deadline', () => {
  it('are written shortly, and read in full', () => {
    const result = specOf(
      {
        notify: { on: 'failure', to },
        deadline: { after: 'queued', within: '2h', notify: { connection: 'm', recipients: 'a@b.c' } },
      },
      { notify: [{ on: ['slow'], slowAfter: '1m', to: { callback: { dagId: 'other' } } }] },
    );
    const canonical = {
      notify: [
        {
          on: ['failure'],
          tasks: [],
          to: [{ connection: 'x', recipients: [] }],
          subject: null,
          body: null,
          slowAfter: null,
        },
      ],
      deadline: [
        {
          after: 'queued',
          within: 7200,
          at: null,
          runs: 10,
          minRuns: 3,
          notify: [{ connection: 'm', recipients: ['a@b.c'] }],
        },
      ],
    };
    const ofTask = {
      on: ['slow'],
      to: [{ callback: { dagId: 'other', conf: {} } }],
      subject: null,
      body: null,
      slowAfter: 60,
    };
    expect(result).toMatchObject({ ok: true, spec: { ...canonical, tasks: [{ notify: [ofTask] }] } });
    expect(specOf(canonical, { notify: [ofTask] })).toMatchObject({
      ok: true,
      spec: { ...canonical, tasks: [{ notify: [ofTask] }] },
    });
  });

  it.each<[object, string, string]>([
    [{ notify: 'x' }, 'notify', `'x' is not a rule. Write { on: ['failure'], to: … }.`],
    [{ notify: { to } }, 'notify.on', `'on' is missing.`],
    [
      { notify: { on: [], to } },
      'notify.on',
      'On what? One or more of success, failure, retry, skipped, slow, deadline.',
    ],
    [
      { notify: { on: 'failed', to } },
      'notify.on',
      `'failed' is not one of success, failure, retry, skipped, slow, deadline.`,
    ],
    [{ notify: { on: 'failure', to: [] } }, 'notify.to', 'Nobody is named to tell.'],
    [
      { notify: { on: 'failure', to: 'x' } },
      'notify.to',
      `'x' is nobody to tell. Write { connection: 'an-id' } or { callback: { dagId: 'a_dag' } }.`,
    ],
    [
      { notify: [{ on: 'failure', to: [{ connection: 'm', recipients: ['x'] }] }] },
      'notify[0].to[0].recipients[0]',
      `'x' is not a mail address, such as 'oncall@example.com'.`,
    ],
    [
      { notify: [{ on: 'retry', to }] },
      'notify[0].on',
      `'retry' happens to tasks: name them in 'tasks', or '*' for all.`,
    ],
    [{ notify: [{ on: 'failure', to, tasks: ['b'] }] }, 'notify[0].tasks[0]', `There is no task 'b' in this DAG.`],
    [
      { notify: [{ on: 'deadline', to, tasks: ['a'] }] },
      'notify[0].on',
      `'deadline' is of the run: leave 'tasks' out.`,
    ],
    [
      { notify: [{ on: 'slow', to }] },
      'notify[0].slowAfter',
      `'slow' needs a time after which it is: slowAfter: '30m'.`,
    ],
    [{ deadline: { after: 'queued' } }, 'deadline.within', `How long after that? Write within: '2h'.`],
    [
      { deadline: { after: 'fixed', at: '2026-12-24' } },
      'deadline.at',
      `A fixed deadline needs a date with its time zone, such as at: '2026-12-24T18:00:00Z'.`,
    ],
    [
      { deadline: { after: 'queued', within: 1, at: '2026-12-24T18:00:00Z' } },
      'deadline.at',
      `'at' goes with after: 'fixed' only.`,
    ],
  ])('%j is refused', (more, path, message) => {
    expect(specOf(more)).toEqual({ ok: false, issues: expect.arrayContaining([{ path, message }]) });
  });

  it('a text names only what there is', () => {
    const result = specOf({ notify: { on: 'failure', to, subject: '{{ dag_id }} {{ password }}' } });
    expect(result).toMatchObject({
      ok: false,
      issues: [{ path: 'notify.subject', message: expect.stringContaining(`There is no 'password'`) }],
    });
    const callback = { dagId: 'o', conf: { deep: ['{{ nothing }}'] } };
    expect(specOf({}, { notify: { on: 'failure', to: { callback } } })).toMatchObject({
      ok: false,
      issues: [{ path: 'tasks[0].notify.to.callback.conf', message: expect.stringContaining(`There is no 'nothing'`) }],
    });
  });
});
