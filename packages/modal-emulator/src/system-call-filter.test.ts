import { array, assert, asyncProperty, integer, record } from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Architecture,
  filterProgram,
  type Instruction,
  systemCallFilter,
  when,
} from './system-call-filter.ts';

interface Call {
  machine?: number;
  number: number;
  first?: number;
  third?: number;
}

const MACHINES = { x64: 0xc000003e, arm64: 0xc00000b7 } as const;
const ALLOW = 0x7fff0000;

/** What the kernel would do: loads, comparisons, jumps forward and an answer. */
function run(program: readonly Instruction[], data: Record<number, number>): number {
  let accumulator = 0;
  for (let at = 0; at < program.length; at++) {
    const { code, yes, no, value } = program[at] ?? { code: -1, yes: 0, no: 0, value: 0 };
    if (code === 0x06) return value;
    if (code === 0x20) accumulator = data[value] ?? Number.NaN;
    else if (code === 0x15) at += accumulator === value ? yes : no;
    else if (code === 0x35) at += accumulator >= value ? yes : no;
    else if (code === 0x45) at += (accumulator & value) === 0 ? no : yes;
    else throw new Error(`no instruction ${code}`);
  }
  throw new Error('ran off the end');
}

function answerOf(architecture: Architecture, call: Call): string {
  const { machine = MACHINES[architecture], number, first = 0, third = 0 } = call;
  const answer = run(systemCallFilter(architecture), { 0: number, 4: machine, 16: first, 32: third });
  return answer === ALLOW ? 'allow' : `errno ${answer - 0x00050000}`;
}

const CALLS = {
  x64: {
    socket: 41,
    socketpair: 53,
    clone: 56,
    unshare: 272,
    refused: [
      103, 155, 161, 163, 165, 166, 167, 168, 169, 170, 171, 172, 173, 174, 175, 176, 164, 179, 180, 212, 227,
      246, 248, 249, 250, 298, 304, 308, 313, 320, 321, 323, 428, 429, 430, 431, 432, 433, 442, 443, 467,
    ],
  },
  arm64: {
    socket: 198,
    socketpair: 199,
    clone: 220,
    unshare: 97,
    refused: [
      18, 39, 40, 41, 42, 51, 60, 89, 104, 105, 106, 112, 116, 142, 161, 162, 170, 217, 218, 219, 224, 225,
      241, 265, 268, 273, 280, 282, 294, 428, 429, 430, 431, 432, 433, 442, 443, 467,
    ],
  },
} as const;
const ABSENT = [425, 426, 427, 435];

describe.each(['x64', 'arm64'] as const)('the filter of %s', (architecture) => {
  const { socket, socketpair, clone, unshare, refused } = CALLS[architecture];
  const answer = (call: Call) => answerOf(architecture, call);

  it('answers every call, refusing those it names and no other', () => {
    const named: readonly number[] = refused;
    for (let number = 0; number <= 600; number++) {
      const absent = ABSENT.includes(number) || number > 469;
      const expected = named.includes(number) ? 'errno 1' : absent ? 'errno 38' : 'allow';
      expect([number, answer({ number, first: 1 })]).toEqual([number, expected]);
    }
  });

  it('lets sockets be made within the sandbox only', () => {
    const families = Array.from({ length: 64 }, (_, family) => family);
    for (const number of [socket, socketpair]) {
      const allowed = families.filter((first) => answer({ number, first }) === 'allow');
      expect(allowed).toEqual([1, 2, 10, 16]);
      expect(answer({ number, first: 40 })).toBe('errno 97');
      const protocols = families.filter((third) => answer({ number, first: 16, third }) === 'allow');
      expect(protocols).toEqual([0, 4]);
    }
  });

  it('lets threads and processes be made, and no namespace', () => {
    for (const number of [clone, unshare]) {
      for (const first of [0x3d0f00, 0x01200011, 0x4111, 0x200, 0x400])
        expect(answer({ number, first })).toBe('allow');
      for (const kind of [0x80, 0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000])
        expect(answer({ number, first: kind | 0x111 })).toBe('errno 1');
    }
  });

  it('has no call of another machine, of x32, and none by a number nobody knows', () => {
    expect(answer({ machine: 0x40000003, number: 1 })).toBe('errno 38');
    expect(answer({ number: 0x40000001 })).toBe('errno 38');
    expect(answer({ number: 0xffffffff })).toBe('errno 38');
  });

  it('takes eight bytes an instruction, and no jump leaves it', () => {
    const program = systemCallFilter(architecture);
    const hex = filterProgram(architecture);
    expect(hex.length).toBe(program.length * 16);
    const bytes = Buffer.from(hex, 'hex');
    for (const [at, { code, yes, no, value }] of program.entries()) {
      const word = bytes.subarray(at * 8);
      const read = [word.readUInt16LE(0), word.readUInt8(2), word.readUInt8(3), word.readUInt32LE(4)];
      expect(read).toEqual([code, yes, no, value]);
      if (code !== 0x06) expect(at + 1 + Math.max(yes, no)).toBeLessThan(program.length);
    }
  });
});

describe('a block', () => {
  const give = (value: number): Instruction => ({ code: 0x06, yes: 0, no: 0, value });
  const compare = {
    equals: (left: number, right: number) => left === right,
    isAtLeast: (left: number, right: number) => left >= right,
    hasAnyOf: (left: number, right: number) => (left & right) !== 0,
  };
  const kinds = ['equals', 'isAtLeast', 'hasAnyOf'] as const;

  it('is gone through when its comparison holds, and else skipped whole', async () => {
    const small = integer({ min: 0, max: 7 });
    const step = record({ kind: integer({ min: 0, max: 2 }), value: small, nested: small, padding: small });
    await assert(
      asyncProperty(array(step, { maxLength: 12 }), small, async (steps, input) => {
        const blocks = steps.flatMap(({ kind, value, nested, padding }, index) => {
          const load = { code: 0x20, yes: 0, no: 0, value: 0 };
          const inner = when('equals', nested, [give(index)]);
          const filler = Array.from({ length: padding }, () => load);
          return when(kinds[kind] ?? 'equals', value, [...filler, ...inner]);
        });
        const program = [{ code: 0x20, yes: 0, no: 0, value: 0 }, ...blocks, give(99)];
        const taken = steps.findIndex(
          ({ kind, value, nested }) => compare[kinds[kind] ?? 'equals'](input, value) && input === nested,
        );
        expect(run(program, { 0: input })).toBe(taken === -1 ? 99 : taken);
      }),
    );
  });

  it('is refused when it is longer than a jump', () => {
    const block = (length: number) => Array.from({ length }, () => give(0));
    expect(when('equals', 1, block(255))[0]?.no).toBe(255);
    expect(() => when('equals', 1, block(256))).toThrow(RangeError);
  });
});
