// The image of an environment's packages. A stamp says of which build: packages without a fixed version are as they were then.
import { isSandboxError } from '@capstan/sandbox/error';
import { type Packages, recipeOf } from '@capstan/sandbox/packages';
import type { ImageRecipe, Sandboxes } from '@capstan/sandbox/port';
import type { BuildOutcome } from '@capstan/schema/environment-images';
import { persist } from './persistence.ts';

/** Null: there is nothing to build, the usual image has it all. Without a stamp it is built once for ever. */
export function recipeAt(packages: Packages, stamp: string | null): ImageRecipe | null {
  const recipe = recipeOf(packages);
  if (recipe.lines.length === 0) return null;
  return stamp === null
    ? recipe
    : { ...recipe, lines: [`ENV CAPSTAN_IMAGE_STAMP=${stamp}`, ...recipe.lines] };
}

/** Rejects with SandboxError when it cannot be known whether it can be built. */
export async function buildAhead(
  sandboxes: Sandboxes,
  packages: Packages,
  stamp: string,
): Promise<BuildOutcome> {
  try {
    const recipe = recipeAt(packages, stamp);
    if (recipe !== null) await persist(() => sandboxes.buildImage(recipe));
    return { built: true };
  } catch (error) {
    if (isSandboxError(error, 'image_failed') || isSandboxError(error, 'invalid'))
      return { built: false, error: error.message };
    throw error;
  }
}
