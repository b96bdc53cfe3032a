// Settings a later release adds: an empty list or null is accepted, anything else is refused by name.
import { z } from 'zod';

export function notYet(what: string) {
  return z
    .union([z.null(), z.array(z.unknown())])
    .refine((value) => value === null || value.length === 0, `${what} are not supported by this server yet`)
    .optional();
}
