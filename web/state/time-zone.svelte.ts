export const ZONE_CHOICES = ['local', 'utc', 'dag'] as const;
export type ZoneChoice = (typeof ZONE_CHOICES)[number];

const KEY = 'millrace.time-zone';
const LOCAL = Intl.DateTimeFormat().resolvedOptions().timeZone;

/** A browser may be older than a zone. */
function isKnown(zone: string): boolean {
  try {
    return Boolean(Intl.DateTimeFormat(undefined, { timeZone: zone }));
  } catch {
    return false;
  }
}

/** In which time zone moments are shown: the browser's, UTC, or that of the DAG on the page. */
class TimeZone {
  #choice = $state<ZoneChoice>(this.#remembered());
  /** Of the DAG on the page; undefined where the page is of none. */
  #ofDag = $state<string>();

  #remembered(): ZoneChoice {
    const choice = localStorage.getItem(KEY) as ZoneChoice | null;
    return choice && ZONE_CHOICES.includes(choice) ? choice : 'local';
  }
  get choice(): ZoneChoice {
    return this.#choice;
  }
  set choice(choice: ZoneChoice) {
    this.#choice = choice;
    localStorage.setItem(KEY, choice);
  }
  get ofDag(): string | undefined {
    return this.#ofDag;
  }
  /** IANA name. Where the page has no DAG, the choice "of the DAG" is the browser's. */
  get name(): string {
    if (this.#choice === 'utc') return 'UTC';
    if (this.#choice === 'dag' && this.#ofDag) return this.#ofDag;
    return LOCAL;
  }
  /** For as long as a page of that DAG is open; returns the end. */
  openDag(zone: string): () => void {
    if (!isKnown(zone)) return () => {};
    this.#ofDag = zone;
    return () => {
      if (this.#ofDag === zone) this.#ofDag = undefined;
    };
  }
}

export const timeZone = new TimeZone();
