// News of a session without a sandbox: kept until its log tells them. Those of a process that dies are found out again.
import type { Happening, SandboxNews } from '@capstan/schema/sandbox-news';
import type { Holding } from '@capstan/session/harness';

export class NewsBoard implements Pick<Holding, 'news' | 'told' | 'watch'> {
  #newId: (kind: 'event') => string;
  #news: readonly SandboxNews[] = [];
  #changed: () => void = () => {};

  constructor(newId: (kind: 'event') => string) {
    this.#newId = newId;
  }

  announce(happening: Happening): void {
    this.#news = [...this.#news, { id: this.#newId('event'), ...happening }];
    this.#changed();
  }

  news(): readonly SandboxNews[] {
    return this.#news;
  }

  told(newsId: string): void {
    const at = this.#news.findIndex(({ id }) => id === newsId);
    this.#news = this.#news.slice(at + 1);
  }

  watch(changed: () => void): void {
    this.#changed = changed;
  }
}

/** What a session without a sandbox holds, with its news. */
export function withBoard(holding: Holding, board: NewsBoard): Holding {
  return {
    ...holding,
    news: () => board.news(),
    told: (newsId) => board.told(newsId),
    watch: (changed) => board.watch(changed),
  };
}
