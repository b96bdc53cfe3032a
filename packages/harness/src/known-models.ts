// The models of this installation that something is known of and that somebody is configured to answer for.
import { isModelFailure } from '@capstan/session/harness';
import type { KnownModel } from '@capstan/session/service';
import type { HarnessConfig } from './config.ts';
import { cardedModels } from './model-cards.ts';
import { chooseModel } from './model-choice.ts';

export function knownModels(config: HarnessConfig): KnownModel[] {
  return cardedModels().flatMap(([id, { price }]) => {
    try {
      const { contextWindow, maxOutputTokens } = chooseModel(config, { id });
      return [{ id, contextWindow, maxOutputTokens, asOf: price.asOf }];
    } catch (error) {
      if (isModelFailure(error)) return [];
      throw error;
    }
  });
}
