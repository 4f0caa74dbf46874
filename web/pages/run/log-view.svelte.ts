const KEY = 'millrace.log';

function remembered(): { wrap: boolean; times: boolean } {
  try {
    return { wrap: true, times: true, ...(JSON.parse(localStorage.getItem(KEY) ?? '{}') as object) };
  } catch {
    // Somebody else's value under our key: the defaults do.
    return { wrap: true, times: true };
  }
}

/** How logs are shown; remembered, because it is a person's habit and not a part of the address. */
class LogView {
  #view = $state(remembered());

  get wrap(): boolean {
    return this.#view.wrap;
  }
  set wrap(wrap: boolean) {
    this.#set({ ...this.#view, wrap });
  }
  get times(): boolean {
    return this.#view.times;
  }
  set times(times: boolean) {
    this.#set({ ...this.#view, times });
  }
  #set(view: { wrap: boolean; times: boolean }): void {
    this.#view = view;
    localStorage.setItem(KEY, JSON.stringify(view));
  }
}

export const logView = new LogView();
