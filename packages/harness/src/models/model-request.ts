// One model call as a request of the models' SDK: instructions, input items, tools, and the agent's settings in the
// words of each protocol. Settings that only a provider's own servers know are not sent to compatible ones.
import type { Model } from '@capstan/schema/agents';
import type { ModelCall } from '@capstan/session/harness';
import type { ModelRequest } from '@openai/agents-core';
import { withCacheMarks } from './cache-marks.ts';
import { toInputItems } from './input-items.ts';
import type { ModelRoute } from './route.ts';
import { toolSchemas } from './tool-schemas.ts';

type Settings = ModelRequest['modelSettings'];

/** Only these models can be asked for their reasoning in sealed form; others refuse the request. */
const REASONING_IDS = /^(o[1-9]|gpt-(?:[5-9]|\d\d)(?!.*chat)|codex)/i;

export function toRequest(call: ModelCall, route: ModelRoute, signal: AbortSignal): ModelRequest {
  const request: ModelRequest = {
    systemInstructions: call.agent.system || undefined,
    input: toInputItems(call, route),
    modelSettings: { ...sampling(call), ...settingsFor(route, call) },
    tools: toolSchemas(call),
    toolsExplicitlyProvided: true,
    outputType: 'text',
    handoffs: [],
    tracing: false,
    signal,
  };
  return route.dialect === 'messages' ? withCacheMarks(request) : request;
}

function settingsFor(route: ModelRoute, call: ModelCall): Settings {
  const { model } = call.agent;
  const limit: Settings = call.maxOutputTokens === null ? {} : { maxTokens: call.maxOutputTokens };
  switch (route.dialect) {
    case 'responses':
      return { store: false, ...limit, ...reasoning(model), providerData: responsesData(route, call) };
    case 'chat':
      // OpenAI's own models refuse the old name of the limit, compatible servers know no other.
      return route.official
        ? { ...reasoning(model), providerData: { ...openaiData(route, call), ...completionLimit(call) } }
        : { ...limit, ...reasoning(model), providerData: openaiData(route, call) };
    case 'messages':
      return { ...limit, providerData: messagesData(route, model) };
  }
}

/** As the agent sets them; what a model refuses it refuses by name. */
function sampling({ agent: { capstan } }: ModelCall): Settings {
  const { temperature, top_p: topP } = capstan?.model ?? {};
  return { ...(temperature !== undefined && { temperature }), ...(topP !== undefined && { topP }) };
}

function completionLimit({ maxOutputTokens }: ModelCall): Record<string, unknown> {
  return maxOutputTokens === null ? {} : { max_completion_tokens: maxOutputTokens };
}

function reasoning(model: Model): Settings {
  return model.effort === undefined ? {} : { reasoning: { effort: model.effort.type } };
}

function responsesData(route: ModelRoute, call: ModelCall): Record<string, unknown> {
  const sealed = REASONING_IDS.test(route.model) ? { include: ['reasoning.encrypted_content'] } : {};
  return { ...openaiData(route, call), ...sealed };
}

function openaiData(route: ModelRoute, call: ModelCall): Record<string, unknown> {
  if (!route.official) return {};
  const tier = call.agent.model.speed === 'fast' ? { service_tier: 'priority' } : {};
  return { ...tier, prompt_cache_key: call.threadId };
}

function messagesData(route: ModelRoute, model: Model): Record<string, unknown> {
  const { speed, inference_geo: inferenceGeo } = model;
  const official = {
    ...(speed === 'fast' ? { speed } : {}),
    ...(inferenceGeo === undefined ? {} : { inferenceGeo }),
  };
  const anthropic = route.official ? official : { toolStreaming: false };
  // The client library knows which models think adaptively and which by budget.
  const effort = model.effort === undefined ? {} : { reasoning: model.effort.type };
  return { ...effort, providerOptions: { anthropic } };
}
