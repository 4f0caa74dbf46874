export interface Viewer {
  name: string;
  role: 'VIEWER' | 'EDITOR' | 'ADMIN' | 'WORKER' | 'RUNNER';
}

/** Who is signed in; undefined until the service has answered. */
class Session {
  #viewer = $state.raw<Viewer | null | undefined>();
  /** True when a session that worked has ended: the page stays, and sign-in lies over it. */
  ended = $state(false);

  /** Counts the times that somebody's rights may have changed: the page then asks who is signed in. */
  checks = $state(0);

  get viewer(): Viewer | null | undefined {
    return this.#viewer;
  }
  get mayEdit(): boolean {
    return this.#viewer?.role === 'EDITOR' || this.#viewer?.role === 'ADMIN';
  }
  begin(viewer: Viewer | null): void {
    this.#viewer = viewer;
    if (viewer) this.ended = false;
  }
  check(): void {
    this.checks++;
  }
  end(): void {
    if (this.#viewer) this.ended = true;
  }
}

export const session = new Session();
