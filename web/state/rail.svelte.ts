const KEY = 'millrace.rail';

/** How the rail stands: narrow (signs only), and on a phone open or not. */
class RailState {
  #narrow = $state(localStorage.getItem(KEY) === 'narrow');
  /** On a phone: it lies over the page. */
  open = $state(false);

  get narrow(): boolean {
    return this.#narrow;
  }
  set narrow(narrow: boolean) {
    this.#narrow = narrow;
    localStorage.setItem(KEY, narrow ? 'narrow' : 'broad');
  }
}

export const rail = new RailState();
