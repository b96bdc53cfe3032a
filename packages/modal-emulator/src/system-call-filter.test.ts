import { describe, expect, it } from 'vitest';
import { type Instruction, systemCallFilter } from './system-call-filter.ts';

interface Call {
  machine: number;
  number: number;
  first?: number;
}

/** What the kernel would do: loads, comparisons, jumps and an answer. */
function answerTo({ machine, number, first = 0 }: Call, program: readonly Instruction[]): string {
  const data: Record<number, number> = { 0: number, 4: machine, 16: first };
  let accumulator = 0;
  for (let at = 0; at < program.length; at++) {
    const { code, yes, no, value } = program[at] ?? { code: -1, yes: 0, no: 0, value: 0 };
    if (code === 0x06) return value === 0x7fff0000 ? 'allow' : `errno ${value - 0x00050000}`;
    if (code === 0x20) accumulator = data[value] ?? Number.NaN;
    else if (code === 0x05) at += value;
    else if (code === 0x15) at += accumulator === value ? yes : no;
    else if (code === 0x35) at += accumulator >= value ? yes : no;
    else throw new Error(`no instruction ${code}`);
  }
  throw new Error('ran off the end');
}

const MACHINES = { x64: 0xc000003e, arm64: 0xc00000b7 } as const;

describe.each([
  ['x64' as const, { socket: 41, refused: [246, 248, 249, 250, 298, 304, 321, 323] }],
  ['arm64' as const, { socket: 198, refused: [104, 217, 218, 219, 241, 265, 280, 282] }],
])('the filter of %s', (architecture, { socket, refused }) => {
  const program = systemCallFilter(architecture);
  const machine = MACHINES[architecture];
  const answer = (number: number, first?: number) => answerTo({ machine, number, first }, program);

  it('answers every call, refusing those it names and no other', () => {
    for (let number = 0; number <= 470; number++) {
      const expected = refused.includes(number)
        ? 'errno 1'
        : [425, 426, 427].includes(number)
          ? 'errno 38'
          : 'allow';
      expect(answer(number, 2), `call ${number}`).toBe(expected);
    }
  });

  it('lets sockets be made within the sandbox only', () => {
    const families = Array.from({ length: 64 }, (_, family) => family);
    expect(families.filter((family) => answer(socket, family) === 'allow')).toEqual([1, 2, 10, 16]);
    expect(answer(socket, 40)).toBe('errno 97');
  });

  it('refuses calls by the numbers of another machine', () => {
    expect(answerTo({ machine: 0x40000003, number: 1 }, program)).toBe('errno 38');
    expect(answer(0x40000000 + 1)).toBe('errno 38');
  });
});
