// What it takes to start one sandbox: its files laid out, its image planted, its processes begun.
import { basename, join } from 'node:path';
import type { ImageRecord } from './image-store.ts';
import type { ImageTrees, SandboxPlace } from './image-trees.ts';
import { mountWords } from './mount-table.ts';
import { startPlainProcess } from './plain-process.ts';
import { type Base, type Layout, prepareRoot } from './root-filesystem.ts';
import { type SandboxProcess, type StartOptions, startSandboxProcess } from './sandbox-process.ts';
import type { SandboxStart } from './sandbox-starts.ts';
import type { TreeRemovals } from './tree-removal.ts';
import { type PlacedVolume, placeVolumes, volumeWords } from './volume-mounts.ts';

export interface SandboxPlaces {
  base: Base;
  layout: Layout;
  trees: ImageTrees;
  /** Resolves once the directories over the host's programs are there. */
  programs: Promise<void>;
  volatilePath: string;
  removals: TreeRemovals;
}

export type SandboxBeginning = Pick<StartOptions, 'listenPorts' | 'group' | 'memoryBytesPerProcess'> & {
  /** Absent: the processes are this user's own, on this machine's files. */
  start: SandboxStart | undefined;
  place: SandboxPlace;
  image: ImageRecord;
  volumes: readonly PlacedVolume[];
  signal: AbortSignal;
};

/** Leaves nothing behind when it fails. */
export async function startSandbox(
  places: SandboxPlaces,
  beginning: SandboxBeginning,
): Promise<SandboxProcess> {
  const { base, layout, trees } = places;
  const { place, image, volumes, signal, start, ...options } = beginning;
  const { directory, ownerId } = place;
  const runDirectory = join(places.volatilePath, basename(directory));
  try {
    if (start === undefined)
      return await startPlainProcess({ directory, runDirectory, group: options.group });
    await places.programs;
    const layers = trees.layersOf(image);
    const isPlanted = image.tree !== undefined;
    const prepared = prepareRoot(directory, { base, layout, runDirectory, ownerId, layers, isPlanted });
    const { shifts, lines } = prepared;
    shifts.push(...placeVolumes(directory, { volumes, ownerId }));
    if (image.tree !== undefined) await trees.plant(image.tree, place, signal);
    return await startSandboxProcess({
      ...options,
      start,
      directory,
      runDirectory,
      ownerId,
      shifts,
      volumes: volumeWords(volumes),
      mounts: mountWords(lines),
    });
  } catch (cause) {
    await start?.discard();
    void places.removals.add(directory, runDirectory);
    throw cause;
  }
}
