// What the image of an environment is made from. Two environments with the same of it have the same image.
import type { Machine } from './machine.ts';
import { PACKAGE_MANAGERS, type Packages } from './packages.ts';

export interface ImageSource {
  packages: Packages;
  /** Registry reference; null: the installation's own. */
  image: string | null;
  /** Lines after the packages. */
  dockerfile: readonly string[];
}

/** Null: the usual image has it all, and nothing is to be built. */
export function imageSourceOf({
  packages,
  machine,
}: {
  packages: Packages;
  machine?: Machine | undefined;
}): ImageSource | null {
  const { image = null, dockerfile = [] } = machine ?? {};
  const plain = image === null && dockerfile.length === 0;
  if (plain && PACKAGE_MANAGERS.every((manager) => packages[manager].length === 0)) return null;
  return { packages, image, dockerfile };
}
