const QUIET_MS = 3000;

/** What the polite live region says: the newest message, at most one in three seconds. */
class Announcer {
  current = $state('');
  #waiting: string | null = null;
  #timer: ReturnType<typeof setTimeout> | null = null;

  say(message: string): void {
    this.#waiting = message;
    if (this.#timer === null) this.#speak();
  }

  #speak(): void {
    this.#timer = null;
    if (this.#waiting === null) return;
    this.current = this.#waiting;
    this.#waiting = null;
    this.#timer = setTimeout(() => this.#speak(), QUIET_MS);
  }
}

export const announcer = new Announcer();
