// Content blocks: what messages and tool results are made of (spec §4.6).
import { z } from 'zod';

export const textBlock = z
  .object({ type: z.literal('text'), text: z.string().min(1) })
  .meta({ id: 'TextBlock' });
export type TextBlock = z.infer<typeof textBlock>;

const base64Source = z.object({
  type: z.literal('base64'),
  media_type: z.string().min(1),
  data: z.base64(),
});
const urlSource = z.object({ type: z.literal('url'), url: z.url() });
const fileSource = z.object({ type: z.literal('file'), file_id: z.string().min(1) });
const textSource = z.object({
  type: z.literal('text'),
  media_type: z.literal('text/plain'),
  data: z.string(),
});

export const imageBlock = z
  .object({
    type: z.literal('image'),
    source: z.discriminatedUnion('type', [base64Source, urlSource, fileSource]),
  })
  .meta({ id: 'ImageBlock' });
export const documentBlock = z
  .object({
    type: z.literal('document'),
    source: z.discriminatedUnion('type', [base64Source, textSource, urlSource, fileSource]),
    title: z.string().nullish(),
    context: z.string().nullish(),
  })
  .meta({ id: 'DocumentBlock' });
export const searchResultBlock = z
  .object({
    type: z.literal('search_result'),
    source: z.string(),
    title: z.string(),
    content: z.array(textBlock),
    citations: z.object({ enabled: z.boolean() }).default({ enabled: false }),
  })
  .meta({ id: 'SearchResultBlock' });
export const redactedBlock = z.object({ type: z.literal('redacted') }).meta({ id: 'RedactedBlock' });

export const userContent = z.discriminatedUnion('type', [textBlock, imageBlock, documentBlock]);
export type UserContent = z.infer<typeof userContent>;

export const toolResultContent = z.discriminatedUnion('type', [
  textBlock,
  imageBlock,
  documentBlock,
  searchResultBlock,
]);
export type ToolResultContent = z.infer<typeof toolResultContent>;

export const agentContent = z.discriminatedUnion('type', [
  z.object({ type: z.literal('text'), text: z.string() }),
  redactedBlock,
]);
export const threadContent = z.discriminatedUnion('type', [
  textBlock,
  imageBlock,
  documentBlock,
  redactedBlock,
]);
export type ThreadContent = z.infer<typeof threadContent>;
