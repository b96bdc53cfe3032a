// One model call at a time through the models of @openai/agents: the log is the truth, so there is no runner and no
// stored run. Nothing is retried here (the session does that) and nothing leaves for a trace server.
import { createAnthropic } from '@ai-sdk/anthropic';
import type { ModelCall, ModelChoice, ModelPart } from '@capstan/session/harness';
import type { Logger } from '@capstan/shared/logger';
import {
  type Model,
  setSensitiveDataLoggingEnabled,
  setTraceProcessors,
  setTracingDisabled,
} from '@openai/agents-core';
import { aisdk } from '@openai/agents-extensions/ai-sdk';
import { OpenAIChatCompletionsModel, OpenAIResponsesModel } from '@openai/agents-openai';
import OpenAI from 'openai';
import type { HarnessConfig } from '../config.ts';
import { chooseModel } from '../model-choice.ts';
import type { TenantModels } from '../tenant-models.ts';
import { cardRoute, fetchWithin } from './card-route.ts';
import { toModelFailure } from './failure.ts';
import { carriesMedia } from './media.ts';
import { toRequest } from './model-request.ts';
import { READERS } from './readers.ts';
import { Reply } from './reply.ts';
import { type ModelRoute, routeTo } from './route.ts';
import { untilAborted, Watchdog } from './watchdog.ts';

// The SDK's default is to export traces to OpenAI whenever a key is found.
setTracingDisabled(true);
setTraceProcessors([]);
setSensitiveDataLoggingEnabled(false);

/** The client would tell every server what it runs on. */
const NO_MACHINE_HEADERS = {
  'x-stainless-os': null,
  'x-stainless-arch': null,
  'x-stainless-runtime': null,
  'x-stainless-runtime-version': null,
};

interface ModelCallDeps {
  config: HarnessConfig;
  models?: TenantModels;
  logger: Logger;
  clock: { now(): number };
}

export interface ModelCalls {
  /** `sent` is called when the request is out, before anything is known of its reply. */
  call(call: ModelCall, signal: AbortSignal, sent?: () => void): AsyncGenerator<ModelPart>;
}

export function createModelCalls({ config, models, logger, clock }: ModelCallDeps): ModelCalls {
  return {
    async *call(call, signal, sent = () => {}) {
      const card = models?.find(call.agent.model.id) ?? null;
      const choice = chooseModel(config, call.agent.model, card);
      const route = card === null ? routeTo(config, choice) : await cardRoute(card);
      const over = card === null || models === undefined ? fetch : fetchWithin(models.reach);
      const watchdog = new Watchdog(config.timeouts, signal, { sent, over, withinMs: call.withinMs });
      try {
        yield* readReply(limited(call, choice, route), route, watchdog);
      } catch (error) {
        signal.throwIfAborted();
        const media = carriesMedia(call, route.dialect);
        const context = { route, now: clock.now(), media };
        const failure = toModelFailure(watchdog.expired ?? error, context);
        logger.warn('model.failed', { type: failure.type, retryable: failure.retryable, model: route.model });
        throw failure;
      } finally {
        watchdog.stop();
      }
    },
  };
}

/** Anthropic's protocol wants to be told a limit: without one of the call's own it is the model's. */
function limited(call: ModelCall, { maxOutputTokens }: ModelChoice, { dialect }: ModelRoute): ModelCall {
  if (dialect !== 'messages' || call.maxOutputTokens !== null) return call;
  return { ...call, maxOutputTokens };
}

async function* readReply(call: ModelCall, route: ModelRoute, watchdog: Watchdog): AsyncGenerator<ModelPart> {
  watchdog.signal.throwIfAborted();
  const request = toRequest(call, route, watchdog.signal);
  const speed = route.official ? call.agent.model.speed : undefined;
  const reply = new Reply(route, speed);
  const read = READERS[route.dialect];
  try {
    const events = openModel(route, watchdog).getStreamedResponse(request);
    for await (const event of untilAborted(events, watchdog.signal)) {
      for (const part of read(event, reply)) {
        watchdog.heard(part.type === 'thinking');
        yield part;
      }
    }
  } catch (error) {
    // Replies that end at a limit or filter are errors to the SDK; what was said until then still counts.
    if (watchdog.signal.aborted || (reply.stop !== 'limit' && reply.stop !== 'refused')) throw error;
  }
  yield reply.end();
}

function openModel(route: ModelRoute, { fetch }: Watchdog): Model {
  const { model, baseUrl } = route;
  if (route.dialect === 'messages') {
    const apiKey = route.apiKey ?? 'none';
    return aisdk(createAnthropic({ apiKey, baseURL: baseUrl, fetch })(model));
  }
  const client = new OpenAI({
    apiKey: route.apiKey ?? 'none',
    adminAPIKey: null,
    baseURL: baseUrl,
    organization: null,
    project: null,
    webhookSecret: null,
    maxRetries: 0,
    // The watchdog keeps the time.
    timeout: 2_147_483_647,
    logLevel: 'off',
    defaultHeaders: { ...NO_MACHINE_HEADERS, ...(route.apiKey === null ? { authorization: null } : {}) },
    fetch,
  });
  return route.dialect === 'chat'
    ? new OpenAIChatCompletionsModel(client, model)
    : new OpenAIResponsesModel(client, model);
}
