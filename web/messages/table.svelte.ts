export const LANGUAGES = { en: 'English', zh: '中文' } as const;
export type LanguageCode = keyof typeof LANGUAGES;

const KEY = 'millrace.language';
const isCode = (code: string | null | undefined): code is LanguageCode =>
  code != null && Object.hasOwn(LANGUAGES, code);

/** The language chosen, or the browser's where there is a table for it. */
class Language {
  #code = $state<LanguageCode>(this.#remembered());

  #remembered(): LanguageCode {
    const chosen = localStorage.getItem(KEY);
    if (isCode(chosen)) return chosen;
    return navigator.languages.map((name) => name.slice(0, 2)).find(isCode) ?? 'en';
  }
  get current(): LanguageCode {
    return this.#code;
  }
  set current(code: LanguageCode) {
    this.#code = code;
    localStorage.setItem(KEY, code);
  }
}

export const language = new Language();

/**
 * The texts of one area in every language; the compiler refuses one that lacks a text. What is returned reads those of
 * the language chosen, reactively: `runText().cancel`.
 */
export function table<Texts>(texts: { en: Texts } & { [code in LanguageCode]: NoInfer<Texts> }): () => Texts {
  return () => texts[language.current];
}
