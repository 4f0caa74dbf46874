import { untrack } from 'svelte';

export interface Command {
  /** Unique on the page, such as `go.dags`. */
  id: string;
  label: string;
  /** The heading it stands under in the palette and on the keyboard sheet. */
  group: string;
  /** A key as `?` or `F`, or two in a row as `g d`. */
  keys?: string;
  /** Absent: always. Why it is not possible now is for the page to say. */
  enabled?: boolean;
  run(): void;
}

const KEY = 'millrace.single-keys';
const SEQUENCE_WITHIN_MS = 1200;

/** What can be done now, by the palette or by keys: the frame and the pages that are open say so. */
class Commands {
  #sources = $state.raw<readonly (() => readonly Command[])[]>([]);
  #singleKeys = $state(localStorage.getItem(KEY) !== 'off');

  /** Of those with the same keys the one registered last counts: a page goes before the frame. */
  readonly list: readonly Command[] = $derived(this.#sources.flatMap((source) => source()));

  get singleKeys(): boolean {
    return this.#singleKeys;
  }
  /** Keys without a modifier can be switched off: speech input and trembling hands press them unawares. */
  set singleKeys(on: boolean) {
    this.#singleKeys = on;
    localStorage.setItem(KEY, on ? 'on' : 'off');
  }
  /** `source` is read reactively, so labels follow the language and `enabled` the page. */
  add(source: () => readonly Command[]): () => void {
    this.#sources = [...untrack(() => this.#sources), source];
    return () => (this.#sources = this.#sources.filter((other) => other !== source));
  }
  find(keys: string): Command | undefined {
    return this.list.findLast((command) => command.keys === keys && command.enabled !== false);
  }
}

export const commands = new Commands();

/** For as long as the component lives. */
export function provideCommands(source: () => readonly Command[]): void {
  $effect(() => commands.add(source));
}

const isTyping = (target: EventTarget | null): boolean =>
  target instanceof Element &&
  target.closest('input, textarea, select, [contenteditable], [role=dialog], [role=menu], [role=listbox]') !== null;

/** Presses keys for commands. Keys of a control that has the focus stay its own when it prevents their default. */
export function createKeyListener(now: () => number = () => performance.now()): (event: KeyboardEvent) => void {
  let first = { key: '', at: -Infinity };
  return (event) => {
    const withModifier = event.ctrlKey || event.metaKey || event.altKey;
    if (event.defaultPrevented || withModifier || !commands.singleKeys || isTyping(event.target)) return;
    const pair = now() - first.at < SEQUENCE_WITHIN_MS ? commands.find(`${first.key} ${event.key}`) : undefined;
    const command = pair ?? commands.find(event.key);
    first = { key: event.key, at: command ? -Infinity : now() };
    if (!command) return;
    event.preventDefault();
    command.run();
  };
}
