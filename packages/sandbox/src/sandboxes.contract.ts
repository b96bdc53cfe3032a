// What every implementation of the Sandboxes port keeps, run against the real thing.
import { afterAll, beforeAll, describe } from 'vitest';
import { describeCreation } from './contract/creation.contract.ts';
import { describeExec } from './contract/exec.contract.ts';
import { describeFiles } from './contract/files.contract.ts';
import { describeImages } from './contract/images.contract.ts';
import { describeNetwork } from './contract/network.contract.ts';
import { describeRuns } from './contract/runs.contract.ts';
import { describeSnapshots } from './contract/snapshots.contract.ts';
import { newName, newRunId, type Subject, text, type World } from './contract/world.contract.ts';

export type { Subject };

export function describeSandboxes(name: string, open: () => Promise<Subject>): void {
  describe(`Sandboxes over ${name}`, () => {
    let opened: Subject | undefined;
    const subject = () => {
      if (opened) return opened;
      throw new Error('The contract is not open yet');
    };
    const world: World = {
      get sandboxes() {
        return subject().sandboxes;
      },
      get outside() {
        return subject().outside;
      },
      sandboxId: '',
      sh: async (command) => {
        const { stdout } = await world.sandboxes.exec({ sandboxId: world.sandboxId, command });
        return text(stdout);
      },
      start: (command, more = {}) =>
        world.sandboxes.startRun({
          sandboxId: world.sandboxId,
          runId: newRunId(),
          command,
          timeoutMs: 20_000,
          waitMs: 15_000,
          ...more,
        }),
    };

    beforeAll(async () => {
      opened = await open();
      world.sandboxId = (await world.sandboxes.create({ name: newName() })).sandboxId;
    }, 60_000);
    afterAll(() => opened?.close());

    describeCreation(world);
    describeExec(world);
    describeRuns(world);
    describeFiles(world);
    describeImages(world);
    describeSnapshots(world);
    describeNetwork(world);
  });
}
