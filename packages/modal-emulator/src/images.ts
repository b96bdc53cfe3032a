// Images on one machine: every image is the host's own programs, so `FROM` names are accepted and not pulled; ENV and
// WORKDIR are honoured; whatever would have to build something fails the build and says so.
import { createHash } from 'node:crypto';
import { newId } from './identifiers.ts';
import type { ImageRecord } from './image-store.ts';
import type { Store } from './store.ts';
import type { ImageDefinition } from './wire.ts';

export const DEFAULT_WORKDIR = '/root';
const ACCEPTED = new Set(['FROM', 'LABEL', 'MAINTAINER', 'EXPOSE', 'SHELL', 'CMD', 'ENTRYPOINT', 'ARG']);

export class ImageBuildError extends Error {
  override readonly name = 'ImageBuildError';
}

export class ImageNotFoundError extends Error {
  override readonly name = 'ImageNotFoundError';
}

/** The same definition gives the same image. Throws ImageBuildError or, for an unknown base, ImageNotFoundError. */
export function buildImage(store: Store, definition: ImageDefinition): ImageRecord {
  const key = createHash('sha256')
    .update(JSON.stringify([definition.baseImages, definition.dockerfileCommands]))
    .digest('hex');
  const known = store.images.findByContent(key);
  if (known !== undefined) return known;
  const image: ImageRecord = { id: newId('im'), env: {}, workdir: DEFAULT_WORKDIR, layers: [] };
  for (const { imageId } of definition.baseImages) {
    const base = store.images.find(imageId);
    if (base === undefined) throw new ImageNotFoundError(`Image ${imageId} does not exist.`);
    Object.assign(image.env, base.env);
    const { workdir, layers, tree, layout } = base;
    Object.assign(image, { workdir, layers, tree, layout });
  }
  for (const line of definition.dockerfileCommands.flatMap((text) => text.split('\n')))
    apply(line.trim(), image);
  store.images.add(image, key);
  return image;
}

function apply(line: string, image: ImageRecord): void {
  if (line === '' || line.startsWith('#')) return;
  const [word = '', ...rest] = line.split(/\s+/);
  const instruction = word.toUpperCase();
  if (instruction === 'WORKDIR') image.workdir = rest.join(' ');
  else if (instruction === 'ENV') Object.assign(image.env, parseEnv(line.slice(word.length).trim()));
  else if (!ACCEPTED.has(instruction))
    throw new ImageBuildError(
      `The local emulator cannot build "${line.slice(0, 200)}": its images are this machine's own programs. Install what you need on this machine, or use Modal.`,
    );
}

function parseEnv(text: string): Record<string, string> {
  const pairs = [...text.matchAll(/([A-Za-z_]\w*)=(?:"((?:[^"\\]|\\.)*)"|'([^']*)'|(\S*))/g)];
  if (pairs.length === 0) {
    const [name = '', ...value] = text.split(/\s+/);
    return { [name]: value.join(' ') };
  }
  return Object.fromEntries(
    pairs.map(([, name, double, single, bare]) => [
      name ?? '',
      double?.replace(/\\(.)/g, '$1') ?? single ?? bare ?? '',
    ]),
  );
}
