/** A lost connection shows after this long: shorter ones heal unseen. */
const GRACE_MS = 1000;

type CatchUp = () => Promise<unknown>;

/**
 * What the page knows of its live connection. After a reconnect it counts as live only when every view that registered
 * a catch-up has everything it missed.
 */
class Connection {
  #link = $state<'idle' | 'connecting' | 'open' | 'lost' | 'catching-up'>('idle');
  #stale = $state(false);
  #asOf = $state(0);
  #catchUps = new Set<CatchUp>();
  #grace: ReturnType<typeof setTimeout> | null = null;
  #round = 0;

  get link() {
    return this.#link;
  }
  /** True when the banner must say that what is shown may be old. */
  get stale(): boolean {
    return this.#stale;
  }
  /** The moment up to which the page is known to be current. */
  get asOf(): number {
    return this.#asOf;
  }

  connecting(): void {
    if (this.#link === 'idle') this.#link = 'connecting';
  }

  async opened(isRetry: boolean): Promise<void> {
    const round = ++this.#round;
    if (isRetry && this.#catchUps.size > 0) {
      this.#link = 'catching-up';
      await Promise.allSettled([...this.#catchUps].map((catchUp) => catchUp()));
      if (round !== this.#round) return;
    }
    this.#clearGrace();
    this.#link = 'open';
    this.#stale = false;
  }

  /** `asOf`: the last moment at which the connection was known to work. */
  lost(asOf: number): void {
    this.#round++;
    if (this.#link === 'lost') return;
    if (!this.#stale) this.#asOf = asOf;
    this.#link = 'lost';
    this.#grace ??= setTimeout(() => {
      this.#grace = null;
      this.#stale = true;
    }, GRACE_MS);
  }

  /** No view needs the connection any more, and it was closed on purpose. */
  released(): void {
    this.#round++;
    this.#clearGrace();
    this.#link = 'idle';
    this.#stale = false;
  }

  /** `catchUp` resolves when the view has what it missed. Returns the removal. */
  onReconnect(catchUp: CatchUp): () => void {
    this.#catchUps.add(catchUp);
    return () => this.#catchUps.delete(catchUp);
  }

  #clearGrace(): void {
    if (this.#grace !== null) clearTimeout(this.#grace);
    this.#grace = null;
  }
}

export const connection = new Connection();
