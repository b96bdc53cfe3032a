// What the emulator remembers of images. A tree is a directory with files of images, a record of which is here only once
// the directory is whole; an image is a stack of trees that sandboxes share, and perhaps one of which each gets a copy.
import type { DatabaseSync, SQLInputValue } from 'node:sqlite';
import type { Layout } from './root-filesystem.ts';

export interface ImageRecord {
  id: string;
  env: Record<string, string>;
  workdir: string;
  /** Shared, lowest first. */
  layers: string[];
  /** Copied: a sandbox starts with it as its own. */
  tree?: string;
  /** How `layers` and `tree` are to be read; absent: there are none. */
  layout?: Layout;
}

export const IMAGE_SCHEMA = `
  CREATE TABLE IF NOT EXISTS trees (id TEXT PRIMARY KEY, size_bytes INTEGER NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS image_records (
    id TEXT PRIMARY KEY, content_key TEXT UNIQUE, env TEXT NOT NULL, workdir TEXT NOT NULL, layers TEXT NOT NULL, tree TEXT,
    layout TEXT, is_step INTEGER NOT NULL
  ) STRICT;
`;
const USED = `
  EXISTS (SELECT 1 FROM image_records WHERE image_records.tree = trees.id
    OR EXISTS (SELECT 1 FROM json_each(image_records.layers) WHERE value = trees.id))`;
/** What a step added to the one before. */
const LAST = "coalesce(tree, json_extract(layers, '$[#-1]'))";
const UNUSED_STEP = `is_step AND NOT EXISTS (
  SELECT 1 FROM image_records AS made WHERE NOT made.is_step AND (made.tree = image_records.tree
    OR EXISTS (SELECT 1 FROM json_each(made.layers) WHERE value = json_extract(image_records.layers, '$[#-1]'))))`;

export interface ImageAddition {
  contentKey: string;
  /** One that the image brings along. */
  tree?: { id: string; sizeBytes: number };
  /** What a command of a build left: there for other builds, not to be asked for. */
  isStep?: boolean;
}

export class ImageStore {
  readonly #database: DatabaseSync;

  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  find(id: string): ImageRecord | undefined {
    return toImage(this.#row('SELECT * FROM image_records WHERE id = ? AND NOT is_step', id));
  }

  /** The image made of this content last. */
  findByContent(key: string): ImageRecord | undefined {
    return toImage(this.#row('SELECT * FROM image_records WHERE content_key = ?', key));
  }

  /** Takes the content's name from an older image of it. */
  add(image: ImageRecord, { contentKey, tree, isStep = false }: ImageAddition): void {
    this.#atomically(() => {
      if (tree !== undefined)
        this.#run('INSERT INTO trees (id, size_bytes) VALUES (?, ?)', tree.id, tree.sizeBytes);
      this.#run('UPDATE image_records SET content_key = NULL WHERE content_key = ?', contentKey);
      this.#run(
        'INSERT INTO image_records (id, content_key, env, workdir, layers, tree, layout, is_step) VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
        image.id,
        contentKey,
        JSON.stringify(image.env),
        image.workdir,
        JSON.stringify(image.layers),
        image.tree ?? null,
        image.layout ?? null,
        isStep ? 1 : 0,
      );
    });
  }

  /** With the steps that were only for it. False when there is none of that id. */
  delete(id: string): boolean {
    const image = this.find(id);
    if (image === undefined) return false;
    this.#atomically(() => {
      this.#run('DELETE FROM image_records WHERE id = ?', id);
      this.#run(
        `DELETE FROM image_records WHERE ${UNUSED_STEP} AND ${LAST} IN (SELECT value FROM json_each(?))`,
        JSON.stringify([...image.layers, image.tree ?? '']),
      );
    });
    return true;
  }

  /** Forgets every step that no image was made of. */
  deleteUnusedSteps(): void {
    this.#run(`DELETE FROM image_records WHERE ${UNUSED_STEP}`);
  }

  /** Forgets the trees of no image, but `held`. */
  forgetUnusedTrees(held: readonly string[]): void {
    this.#run(
      `DELETE FROM trees WHERE NOT ${USED} AND id NOT IN (SELECT value FROM json_each(?))`,
      JSON.stringify(held),
    );
  }

  /** All that are recorded. */
  trees(): string[] {
    const rows = this.#database.prepare('SELECT id FROM trees').all();
    return rows.map(({ id }) => String(id));
  }

  /** On disk, of all trees together. */
  sizeBytes(): number {
    return Number(this.#row('SELECT coalesce(sum(size_bytes), 0) AS total FROM trees')?.total);
  }

  #atomically(change: () => void): void {
    this.#database.exec('BEGIN IMMEDIATE');
    try {
      change();
      this.#database.exec('COMMIT');
    } catch (cause) {
      this.#database.exec('ROLLBACK');
      throw cause;
    }
  }

  #row(sql: string, ...values: SQLInputValue[]): Record<string, unknown> | undefined {
    return this.#database.prepare(sql).get(...values);
  }

  #run(sql: string, ...values: SQLInputValue[]): number {
    return Number(this.#database.prepare(sql).run(...values).changes);
  }
}

function toImage(row: Record<string, unknown> | undefined): ImageRecord | undefined {
  if (row === undefined) return undefined;
  const image: ImageRecord = {
    id: String(row.id),
    env: JSON.parse(String(row.env)),
    workdir: String(row.workdir),
    layers: JSON.parse(String(row.layers)),
  };
  if (row.tree !== null) image.tree = String(row.tree);
  if (row.layout === 'layers' || row.layout === 'copies') image.layout = row.layout;
  return image;
}
