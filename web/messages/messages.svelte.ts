import { en, type Messages } from './en.ts';

const tables: Record<string, Messages> = { en };

class Language {
  #code = $state('en');

  get current(): string {
    return this.#code;
  }
  set current(code: string) {
    if (code in tables) this.#code = code;
  }
  get messages(): Messages {
    return tables[this.#code] ?? en;
  }
}

export const language = new Language();

/** The texts of the language chosen, read reactively: `t().dags.title`. */
export const t = (): Messages => language.messages;
