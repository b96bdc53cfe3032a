import { describe, expect, it } from 'vitest';
import { mountWords } from './mount-table.ts';

const [RDONLY, NOSUID, NODEV, REMOUNT, BIND, REC] = [1, 2, 4, 32, 4096, 16_384];
const calls = (...lines: string[]) => {
  const words = mountWords(lines);
  return Array.from({ length: words.length / 5 }, (_, index) => words.slice(index * 5, index * 5 + 5));
};

describe('mountWords', () => {
  it('tells flags from what is for the kind of file system', () => {
    expect(calls('tmpfs ./root/dev/shm tmpfs nosuid,nodev,mode=1777,size=64m')).toEqual([
      ['tmpfs', './root/dev/shm', 'tmpfs', String(NOSUID | NODEV), 'mode=1777,size=64m'],
    ]);
    expect(calls('proc ./root/proc proc nosuid')).toEqual([
      ['proc', './root/proc', 'proc', String(NOSUID), ''],
    ]);
  });

  it('binds first, and then says what the bound may not', () => {
    expect(calls('/usr ./root/usr none rbind,ro,nosuid,nodev')).toEqual([
      ['/usr', './root/usr', '', String(BIND | REC), ''],
      ['/usr', './root/usr', '', String(REMOUNT | BIND | RDONLY | NOSUID | NODEV), ''],
    ]);
    expect(calls('/dev/null ./null none bind')).toEqual([['/dev/null', './null', '', String(BIND), '']]);
    expect(calls('none ./root/x none remount,bind,ro')).toEqual([
      ['none', './root/x', '', String(REMOUNT | BIND | RDONLY), ''],
    ]);
  });

  it('names directories as they are called, not as tables write them', () => {
    expect(calls('/a\\040b ./root/a\\040b none rbind')).toEqual([
      ['/a b', './root/a b', '', String(BIND | REC), ''],
    ]);
  });
});
