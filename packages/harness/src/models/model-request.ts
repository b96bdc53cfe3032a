// One model call as a request of the models' SDK: instructions, input items, tools, and the agent's settings in the
// words of each protocol. Settings that only a provider's own servers know are not sent to compatible ones.
import type { Model } from '@capstan/schema/agents';
import type { ModelCall } from '@capstan/session/harness';
import type { ModelRequest } from '@openai/agents-core';
import { toInputItems } from './input-items.ts';
import type { ModelRoute } from './route.ts';
import { toolSchemas } from './tool-schemas.ts';

type Settings = ModelRequest['modelSettings'];

/** Only these models can be asked for their reasoning in sealed form; others refuse the request. */
const REASONING_IDS = /^(o[1-9]|gpt-(?:[5-9]|\d\d)(?!.*chat)|codex)/i;

export function toRequest(call: ModelCall, route: ModelRoute, signal: AbortSignal): ModelRequest {
  const tools = toolSchemas(call.agent);
  return {
    systemInstructions: call.agent.system ?? undefined,
    input: toInputItems(call.context, route),
    modelSettings: settingsFor(route, call),
    tools,
    toolsExplicitlyProvided: true,
    outputType: 'text',
    handoffs: [],
    tracing: false,
    signal,
  };
}

function settingsFor(route: ModelRoute, call: ModelCall): Settings {
  const { model } = call.agent;
  switch (route.dialect) {
    case 'responses':
      return { store: false, ...reasoning(model), providerData: responsesData(route, call) };
    case 'chat':
      return { ...reasoning(model), providerData: openaiData(route, call) };
    case 'messages':
      return { providerData: messagesData(route, model) };
  }
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
  return { ...tier, prompt_cache_key: call.sessionId };
}

function messagesData(route: ModelRoute, model: Model): Record<string, unknown> {
  const { speed, inference_geo: inferenceGeo } = model;
  const official = {
    cacheControl: { type: 'ephemeral' },
    ...(speed === 'fast' ? { speed } : {}),
    ...(inferenceGeo === undefined ? {} : { inferenceGeo }),
  };
  const anthropic = route.official ? official : { toolStreaming: false };
  // The client library knows which models think adaptively and which by budget.
  const effort = model.effort === undefined ? {} : { reasoning: model.effort.type };
  return { ...effort, providerOptions: { anthropic } };
}
