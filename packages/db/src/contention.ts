/** How often a change is tried while others change the same row: each round one of them gets through. */
export const UPDATE_ATTEMPTS = 16;
