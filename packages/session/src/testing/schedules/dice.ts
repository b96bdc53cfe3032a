// Choices out of one number: the same number always makes the same ones, and a smaller number simpler ones.
export class Dice {
  #left: number;

  constructor(number: number) {
    this.#left = number;
  }

  /** From 0 to below `sides`. */
  roll(sides: number): number {
    const face = this.#left % sides;
    this.#left = Math.floor(this.#left / sides);
    return face;
  }

  /** One in `sides`. */
  rarely(sides: number): boolean {
    return this.roll(sides) === sides - 1;
  }

  of<T>(choices: readonly T[]): T | undefined {
    return choices[this.roll(Math.max(1, choices.length))];
  }
}
