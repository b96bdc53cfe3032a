// The image of an environment. A stamp says of which build: packages without a fixed version are as they were then.
import { isSandboxError } from '@capstan/sandbox/error';
import { recipeOf } from '@capstan/sandbox/packages';
import type { ImageRecipe, Sandboxes } from '@capstan/sandbox/port';
import type { BuildOutcome } from '@capstan/schema/environment-images';
import type { ImageSource } from '@capstan/schema/image-source';
import { persist } from './persistence.ts';

/** Without a stamp it is built once for ever. */
export function recipeAt({ packages, image, dockerfile }: ImageSource, stamp: string | null): ImageRecipe {
  const { lines, ...base } = recipeOf(packages, image ?? undefined);
  const stamped = stamp === null ? [] : [`ENV CAPSTAN_IMAGE_STAMP=${stamp}`];
  return { ...base, lines: [...stamped, ...lines, ...dockerfile] };
}

/** The id of the image at that stamp. Rejects with SandboxError. */
export async function imageAt(
  sandboxes: Sandboxes,
  source: ImageSource,
  stamp: string | null,
): Promise<string> {
  const recipe = recipeAt(source, stamp);
  return (await persist(() => sandboxes.buildImage(recipe))).imageId;
}

/** Rejects with SandboxError when it cannot be known whether it can be built. */
export async function buildAhead(
  sandboxes: Sandboxes,
  source: ImageSource,
  stamp: string,
): Promise<BuildOutcome> {
  try {
    const recipe = recipeAt(source, stamp);
    const { imageId } = await persist(() => sandboxes.buildImage(recipe));
    return { built: true, imageId };
  } catch (error) {
    if (isSandboxError(error, 'image_failed') || isSandboxError(error, 'invalid'))
      return { built: false, error: error.message };
    throw error;
  }
}
