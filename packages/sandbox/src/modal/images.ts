// Images over Modal: references of registries, recipes built on them, and ids. Modal caches them by content; what is known
// here saves the question, and is forgotten when an image turns out to be gone.
import type { Image } from 'modal';
import { SandboxError } from '../error.ts';
import { type ImageRecipe, MAX_BUILD_LOG_BYTES } from '../port.ts';
import type { Connection } from './connection.ts';
import { buildFailure, isNotFound, toSandboxError } from './errors.ts';

const MAX_KNOWN = 500;

export class Images {
  readonly #connection: Connection;
  /** By what they were asked for as: `id ID`, `tag REFERENCE`, `recipe JSON`. */
  readonly #known = new Map<string, Promise<Image>>();

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** What a sandbox is made from. A reference is pulled when the sandbox is made. Throws image_not_found. */
  of({ image, imageId }: { image?: string; imageId?: string }): Promise<Image> {
    const { client, image: usual } = this.#connection.settings;
    if (imageId !== undefined) return this.#know(`id ${imageId}`, () => this.#byId(imageId));
    const reference = image ?? usual;
    return this.#know(`tag ${reference}`, async () => client.images.fromRegistry(reference));
  }

  /** Throws image_failed. Callers that ask for the same recipe at once wait for one build. */
  async build({ base, lines }: ImageRecipe): Promise<{ imageId: string }> {
    const { client, image: usual } = this.#connection.settings;
    const reference = base ?? usual;
    const image = await this.#know(`recipe ${JSON.stringify([reference, lines])}`, async () => {
      try {
        const recipe = client.images.fromRegistry(reference).dockerfileCommands([...lines]);
        return await recipe.build(await this.#connection.app());
      } catch (error) {
        this.forget();
        throw toImageError(this.#connection, error, `building an image on ${reference}`);
      }
    });
    return { imageId: image.imageId };
  }

  async delete(imageId: string): Promise<void> {
    this.forget();
    try {
      await this.#connection.settings.client.images.delete(imageId);
    } catch (error) {
      if (!isNotFound(error)) throw toSandboxError(error, 'deleting an image');
    }
  }

  /** Modal may have forgotten what we know of it, as a local one does when its state is cleared. */
  forget(): void {
    this.#connection.forgetApp();
    this.#known.clear();
  }

  async #byId(imageId: string): Promise<Image> {
    try {
      return await this.#connection.settings.client.images.fromId(imageId);
    } catch (error) {
      if (isNotFound(error)) throw noSuchImage(imageId, error);
      throw toSandboxError(error, 'looking for an image');
    }
  }

  #know(key: string, ask: () => Promise<Image>): Promise<Image> {
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const image = ask();
    const oldest = this.#known.keys().next().value;
    if (this.#known.size >= MAX_KNOWN && oldest !== undefined) this.#known.delete(oldest);
    this.#known.set(key, image);
    image.catch(() => {
      if (this.#known.get(key) === image) this.#known.delete(key);
    });
    return image;
  }
}

export function noSuchImage(imageId: string, cause: unknown): SandboxError {
  const message = `imageId: there is no image ${imageId}, or no longer; build it again or choose another`;
  return new SandboxError('image_not_found', message, { cause });
}

/** A build that failed as image_failed with the end of its log, whatever else as toSandboxError has it. */
export function toImageError({ settings }: Connection, error: unknown, doing: string): SandboxError {
  const failure = buildFailure(error);
  if (failure === null) return toSandboxError(error, doing);
  const log = [failure.reason, settings.buildLogs?.take(failure.imageId) ?? ''].join('\n').trim();
  return new SandboxError('image_failed', `The image cannot be built:\n${tail(log)}`, { cause: error });
}

/** The end of a text, in whole characters. */
function tail(text: string): string {
  const bytes = Buffer.from(text);
  let start = Math.max(0, bytes.length - MAX_BUILD_LOG_BYTES);
  while (((bytes[start] ?? 0) & 0xc0) === 0x80) start++;
  return bytes.toString('utf8', start);
}
