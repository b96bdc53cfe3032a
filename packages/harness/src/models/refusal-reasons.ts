// Why a provider refuses a request, as far as the session can do something about it. Providers have codes for it,
// compatible servers only sentences.
import type { Facts } from './fault-facts.ts';

const TOO_LONG_CODES =
  /context_length_exceeded|context_window_exceeded|exceed_context_size|request_too_large|string_above_max_length/;

const TOO_LONG: readonly RegExp[] = [
  // Anthropic, Bedrock, vLLM
  /\b(?:prompt|input)\b.{0,60}\bis too long/i,
  /exceed(?:s|ed)? (?:the )?(?:maximum|max) (?:allowed )?(?:number of )?(?:input )?(?:tokens|size|length)/i,
  // OpenAI, vLLM, SGLang, LM Studio
  /maximum (?:context|model|sequence) length/i,
  /reduce the length of the (?:messages|prompt|input)/i,
  /input tokens? exceeds?/i,
  // llama.cpp, Ollama, LiteLLM, TGI
  /(?:context|input|prompt)[ _-]?(?:length|window|size|limit)\b.{0,60}\bexceed/i,
  /exceed\w*\b.{0,60}\b(?:context|input|prompt|model)(?:'s)?[ _-]?(?:length|window|size|limit|maximum)/i,
  /(?:longer|larger|greater) than the (?:model's )?(?:maximum )?context/i,
  /prompt (?:contains|has|with) .{0,40}tokens?.{0,40}(?:too long|too large|limit|maximum)/i,
];

/** The prompt, or the prompt and the reply it may have, exceed what the model holds. */
export function saysTooLong({ status, code, message }: Facts): boolean {
  if (status === 413 || TOO_LONG_CODES.test(code)) return true;
  // Some servers answer so with 500; a rate limit also speaks of too many tokens.
  if (status === 429) return false;
  return TOO_LONG.some((pattern) => pattern.test(message));
}

const MEDIA_CODES = /image|document|pdf|invalid_file|unsupported_file|media_type/;
const MEDIA_WORDS =
  /\b(?:images?|image_url|input_image|input_file|pdfs?|documents?|vision|multi-?modal|media)\b/i;
/** Servers of models that only read: content made of parts is not what they expect. */
const TEXT_WANTED =
  /content\b.{0,80}\b(?:must be|should be|expected|to be) (?:a |an )?(?:valid )?string|expected a string/i;

/** The request is refused because of an image or a document in it. Asked only of requests that carry one. */
export function refusesMedia({ status, code, message }: Facts): boolean {
  const refused = status === null ? /invalid/.test(code) : [400, 404, 415, 422, 500].includes(status);
  if (!refused) return false;
  // An unknown model is a 404 as well, and may have such a word in its name.
  if (status === 404 && !/support/i.test(message)) return false;
  return MEDIA_CODES.test(code) || MEDIA_WORDS.test(message) || TEXT_WANTED.test(message);
}
