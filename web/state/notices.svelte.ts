export interface Notice {
  id: number;
  title: string;
  detail: string;
}

/** Failures of actions whose place on the page has no room for an explanation. They stay until dismissed. */
class Notices {
  list = $state.raw<readonly Notice[]>([]);
  #lastId = 0;

  add(title: string, detail: string): void {
    this.list = [...this.list, { id: ++this.#lastId, title, detail }].slice(-3);
  }
  dismiss(id: number): void {
    this.list = this.list.filter((notice) => notice.id !== id);
  }
}

export const notices = new Notices();
