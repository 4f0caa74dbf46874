export type Theme = 'light' | 'dark' | 'system';
const KEY = 'millrace.theme';

/** The chosen theme; public/theme.js applies the remembered one before the first paint. */
class ThemeChoice {
  #theme = $state<Theme>(this.#remembered());

  #remembered(): Theme {
    const theme = localStorage.getItem(KEY);
    return theme === 'light' || theme === 'dark' ? theme : 'system';
  }
  get current(): Theme {
    return this.#theme;
  }
  set current(theme: Theme) {
    this.#theme = theme;
    if (theme === 'system') {
      localStorage.removeItem(KEY);
      delete document.documentElement.dataset['theme'];
    } else {
      localStorage.setItem(KEY, theme);
      document.documentElement.dataset['theme'] = theme;
    }
  }
}

export const theme = new ThemeChoice();
