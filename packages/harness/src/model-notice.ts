// One sentence for people on which model answers, so that a stand-in is never mistaken for the real one.
import type { ModelNotice } from '@capstan/schema/console-login';
import { answersEverything, whereToSet } from './answerer.ts';
import type { HarnessConfig } from './config.ts';

export function modelNotice(config: HarnessConfig): ModelNotice {
  if (answersEverything(config)) {
    return {
      provider: 'dev',
      message:
        'The development model answers for every model id: no provider key is set. ' +
        `For a real model set ANTHROPIC_API_KEY or OPENAI_API_KEY ${whereToSet(config)}.`,
    };
  }
  const names = configuredNames(config);
  if (names.length > 0)
    return { provider: 'configured', message: `Models answer from ${names.join(' and ')}.` };
  return {
    provider: 'none',
    message: `No model can answer. Set ANTHROPIC_API_KEY or OPENAI_API_KEY ${whereToSet(config)}.`,
  };
}

function configuredNames(config: HarnessConfig): string[] {
  const { openai, anthropic } = config;
  const names: string[] = [];
  if (anthropic !== null) names.push(named('Anthropic', anthropic.baseUrl));
  if (openai !== null) names.push(named('OpenAI', openai.baseUrl));
  return names;
}

/** Only the host of a configured address is told: the rest may carry a secret. */
function named(provider: string, baseUrl: string | null): string {
  return baseUrl === null ? provider : `${provider}-compatible server ${new URL(baseUrl).host}`;
}
