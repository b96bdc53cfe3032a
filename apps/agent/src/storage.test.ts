import { silentLogger } from '@capstan/shared/logger';
import { expect, it } from 'vitest';
import { StorageAlarm } from './storage.ts';

class Timer {
  at: number | null = null;

  async getAlarm(): Promise<number | null> {
    return this.at;
  }

  async setAlarm(at: number | Date): Promise<void> {
    this.at = Number(at);
  }

  async deleteAlarm(): Promise<void> {
    this.at = null;
  }
}

it('an earlier alarm stands, whoever arms a later one', async () => {
  const timer = new Timer();
  const alarm = await StorageAlarm.open(timer);
  alarm.arm(2_000);
  alarm.arm(3_000);
  expect(timer.at).toBe(2_000);
  alarm.arm(1_000);
  expect(timer.at).toBe(1_000);
});

it('work that fails when the alarm rings is done again, until it succeeds', async () => {
  const timer = new Timer();
  const alarm = await StorageAlarm.open(timer);
  for (let tries = 0; tries < 10; tries++) {
    timer.at = null;
    await alarm.ring(() => Promise.reject(new Error('misconfigured')), silentLogger);
    expect(timer.at).toBeGreaterThan(Date.now());
  }
  timer.at = null;
  await alarm.ring(async () => {}, silentLogger);
  expect(timer.at).toBeNull();
});
