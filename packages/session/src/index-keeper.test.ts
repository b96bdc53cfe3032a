import { ZERO_USAGE } from '@capstan/schema/usage';
import { silentLogger } from '@capstan/shared/logger';
import { describe, expect, it } from 'vitest';
import { IndexKeeper } from './index-keeper.ts';
import type { SessionView } from './service.ts';
import { quiesce, until } from './testing.ts';

/** A control plane whose answers a test gives. */
class ControlPlane {
  row: SessionView | null = null;
  waiting: { apply(): void; answer(): void; lose(): void }[] = [];
  #seq = 0;

  confirmedSeq(): number {
    return this.#seq;
  }

  async remove(): Promise<void> {
    this.row = null;
  }

  put(row: SessionView, seq: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const apply = () => {
        this.row = row;
      };
      this.waiting.push({
        apply,
        answer: () => {
          apply();
          this.#seq = seq;
          resolve();
        },
        lose: () => reject(new Error('the connection was lost')),
      });
    });
  }

  async next() {
    await until(() => this.waiting.length > 0);
    const [put] = this.waiting.splice(0, 1);
    if (!put) throw new Error('nothing was put');
    return put;
  }
}

const view = (status: SessionView['status'], updatedAt: number): SessionView => ({
  status,
  usage: { ...ZERO_USAGE, input_tokens: updatedAt },
  activeSeconds: 0,
  updatedAt,
  archivedAt: null,
  title: null,
  metadata: {},
  budget: null,
  outcomeEvaluations: [],
  agentTools: null,
});

function keeperOver(index: ControlPlane): IndexKeeper {
  const bills = { lines: async () => ({ lines: [], upTo: 0 }), recorded: () => {} };
  const marks = { get: () => null, set: () => {} };
  const ports = {
    index,
    bills,
    announcements: bills,
    marks,
    logger: silentLogger,
    now: () => 0,
    random: () => 0,
  };
  return new IndexKeeper(ports, () => {});
}

describe('the row of a session', () => {
  it('is put again after a write whose answer was lost: it may have been written', async () => {
    const plane = new ControlPlane();
    const keeper = keeperOver(plane);
    keeper.keep(view('idle', 1), 1);
    (await plane.next()).answer();
    await until(() => keeper.confirmed);
    keeper.keep(view('running', 2), 2);
    const lost = await plane.next();
    lost.apply();
    lost.lose();
    await quiesce();
    keeper.keep(view('idle', 3), 3);
    expect(keeper.confirmed).toBe(false);
    (await plane.next()).answer();
    await until(() => keeper.confirmed);
    expect(plane.row).toEqual(view('idle', 3));
  });

  it('shows what was true last once the session rests, however slow the control plane is', async () => {
    const plane = new ControlPlane();
    const keeper = keeperOver(plane);
    keeper.keep(view('idle', 1), 1);
    const slow = await plane.next();
    keeper.keep(view('running', 2), 2);
    keeper.keep(view('idle', 3), 3);
    slow.answer();
    (await plane.next()).answer();
    await until(() => keeper.confirmed);
    expect(plane.row).toEqual(view('idle', 3));
  });

  it('is not put for each step of a session that works', async () => {
    const plane = new ControlPlane();
    const keeper = keeperOver(plane);
    keeper.keep(view('running', 1), 1);
    (await plane.next()).answer();
    await until(() => keeper.confirmed);
    keeper.keep(view('running', 2), 2);
    expect(keeper.confirmed).toBe(true);
    expect(plane.waiting).toEqual([]);
  });
});
