import { describe, expect, it } from 'vitest';
import type { ApiClient } from '#server/cli/api-client.ts';
import { followRun, type Transition } from '#server/cli/follow-run.ts';
import { createTaskNotes } from '#server/cli/task-notes.ts';
import { waitFor } from '../../helpers/wait-for.ts';

const change = (state: string, more: Partial<Transition> = {}): Transition => ({
  ...{ taskInstanceId: 'id', taskId: 'a', mapIndex: -1, state, tryNumber: 1, cause: null, at: '2026-01-01T00:00:00Z' },
  ...more,
});
const log = { taskLog: { lines: [{ at: '', stream: 'STDOUT', text: 'last words' }], nextOffset: 1, complete: true } };

/** A service that says the same whatever it is asked. */
const clientOf = (transitions: Transition[], taskInstance: object): ApiClient => ({
  request: async () => ({ taskInstance }) as never,
  subscribe: async function* (query: string) {
    yield (
      query.includes('RunEvents')
        ? { dagRunEvents: { cursor: '1', kind: 'CHANGE', runState: 'FAILED', transitions } }
        : log
    ) as never;
  },
  stop: async () => undefined,
});

describe('followRun', () => {
  it('a try that was never seen to run is told with its output, and why it failed', async () => {
    const seen: string[] = [];
    const tries = [{ tryNumber: 1, message: 'Exit code 4.' }];
    const state = await followRun(
      clientOf([change('QUEUED'), change('FAILED', { cause: 'exit_code' })], { waitingReason: null, tries }),
      '1',
      {
        onTransition: ({ state }) => seen.push(state),
        onLogLine: (_, { text }) => seen.push(text),
        onNote: (_, text) => seen.push(text),
      },
    );
    expect(state).toBe('FAILED');
    expect(seen.slice(0, 2)).toEqual(['QUEUED', 'FAILED']);
    expect(seen.slice(2).sort()).toEqual(['Exit code 4.', 'last words']);
  });

  it('what ended by a rule has no output to wait for', async () => {
    const seen: string[] = [];
    await followRun(clientOf([change('UPSTREAM_FAILED', { tryNumber: 0 })], {}), '1', {
      onTransition: ({ state }) => seen.push(state),
      onLogLine: (_, { text }) => seen.push(text),
    });
    expect(seen).toEqual(['UPSTREAM_FAILED']);
  });
});

describe('createTaskNotes', () => {
  it('says once why a task waits, again when that changes, and no more when it goes on', async () => {
    const seen: string[] = [];
    let asked = 0;
    const client = {
      ...clientOf([], {}),
      request: async () => {
        asked += 1;
        return { taskInstance: { waitingReason: { message: asked < 3 ? 'quota' : 'no room' }, tries: [] } } as never;
      },
    };
    const notes = createTaskNotes(client, (_, text) => seen.push(text), { firstLookMs: 1, nextLookMs: 1 });
    notes.onTransition(change('QUEUED'));
    await waitFor(() => asked > 4, { what: 'several looks' });
    notes.onTransition(change('RUNNING'));
    await notes.stop();
    const before = asked;
    await new Promise(setImmediate);
    expect(asked).toBe(before);
    expect(seen).toEqual(['waits: quota', 'waits: no room']);
  });
});
