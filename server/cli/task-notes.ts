/** What the changes of a run do not say: why a try failed, and why a task does not begin. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ApiClient } from './api-client.ts';
import type { Transition } from './follow-run.ts';

export interface TaskNotes {
  /** Looks where a change is worth it; `onNote` gets a sentence. */
  onTransition(transition: Transition): void;
  /** Of what has ended, all is told; of what waits, no more. */
  stop(): Promise<void>;
}

const NOTE = /* GraphQL */ `
  query TaskNote($id: ID!) {
    taskInstance(id: $id) {
      waitingReason {
        message
      }
      tries {
        tryNumber
        message
      }
    }
  }
`;
interface Noted {
  taskInstance: {
    waitingReason: { message: string } | null;
    tries: { tryNumber: number; message: string | null }[];
  } | null;
}

/** A wait that is shorter is none worth a word. */
const FIRST_LOOK_MS = 5_000;
const NEXT_LOOK_MS = 15_000;

export function createTaskNotes(
  client: ApiClient,
  onNote: (transition: Transition, text: string) => void,
  { firstLookMs = FIRST_LOOK_MS, nextLookMs = NEXT_LOOK_MS } = {},
): TaskNotes {
  const waits = new Map<string, AbortController>();
  const tellings = new Set<Promise<void>>();

  const ask = async (id: string) => (await client.request<Noted>(NOTE, { id })).taskInstance;

  /** Nothing that is wrong here may hide how the run ends. */
  const begin = (telling: Promise<void>) => {
    const settled = telling.catch(() => undefined).finally(() => tellings.delete(settled));
    tellings.add(settled);
  };

  async function tellFailure(transition: Transition): Promise<void> {
    const { taskInstanceId, tryNumber } = transition;
    const ended = (await ask(taskInstanceId))?.tries.find((each) => each.tryNumber === tryNumber);
    if (ended?.message) onNote(transition, ended.message);
  }

  async function tellWait(transition: Transition, signal: AbortSignal): Promise<void> {
    let said: string | undefined;
    for (let ms = firstLookMs; ; ms = nextLookMs) {
      await sleep(ms, undefined, { signal, ref: false });
      const message = (await ask(transition.taskInstanceId))?.waitingReason?.message;
      if (signal.aborted) return;
      if (message !== undefined && message !== said) onNote(transition, `waits: ${message}`);
      said = message;
    }
  }

  return {
    onTransition(transition) {
      const { taskInstanceId, state, cause } = transition;
      waits.get(taskInstanceId)?.abort();
      waits.delete(taskInstanceId);
      if (state === 'QUEUED' || state === 'SCHEDULED') {
        const wait = new AbortController();
        waits.set(taskInstanceId, wait);
        begin(tellWait(transition, wait.signal));
      }
      if (cause !== null && (state === 'FAILED' || state === 'UP_FOR_RETRY')) begin(tellFailure(transition));
    },
    async stop() {
      for (const wait of waits.values()) wait.abort();
      await Promise.all(tellings);
    },
  };
}
