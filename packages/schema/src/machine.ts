// The machine that an environment's sandboxes are, as an extension of ours: an image of one's own, Dockerfile lines on top of
// it, and what they get of processor, memory and GPU.
import { z } from 'zod';

const MAX_LINES = 100;

export const imageReference = z
  .string()
  .max(512)
  .regex(
    /^[a-z0-9][A-Za-z0-9._:@/-]*$/,
    'must be the reference of an image in a registry, e.g. python:3.12-trixie',
  );

const text = z.string().refine((value) => !value.includes('\0'), 'must not contain a NUL character');

export const imageLine = text
  .min(1)
  .max(64 * 1024)
  // Two instructions in one line, or half of one, would be another image than the one that was looked at.
  .refine((line) => !/[\r\n]|\\\s*$/.test(line), 'must be one line, and whole: join commands with &&')
  .refine((line) => /^(RUN|ENV|WORKDIR) +\S/.test(line), 'must be a RUN, ENV or WORKDIR instruction');

const cpu = z.number().min(0.125).max(64).multipleOf(0.125, 'must be cores in steps of 0.125, e.g. 0.5 or 2');
const memory = z.int().min(64).max(344_064);
const gpu = z
  .string()
  .regex(/^[A-Za-z0-9-]{1,32}(:[1-8])?$/, 'must be a kind of GPU and a count, e.g. T4 or A100-80GB:2');

/** What a sandbox gets: cores in steps of 0.125, MiB, kind and count of GPUs. */
export const resourceLimits = { cpu, memory, gpu };

/** Null as a member sets it back. */
export const machineParam = z
  .strictObject({
    image: imageReference.nullish(),
    dockerfile: z.array(imageLine).max(MAX_LINES).nullish(),
    cpu: cpu.nullish(),
    memory_mib: memory.nullish(),
    gpu: gpu.nullish(),
  })
  .meta({ id: 'MachineParam' });
export type MachineParam = z.infer<typeof machineParam>;

export const machine = z
  .object({
    image: z.string().nullable().meta({
      description:
        "Registry reference of a Debian image with bash 5 and GNU coreutils and findutils. Null: the installation's own.",
    }),
    dockerfile: z.array(z.string()).meta({
      description: '`RUN`, `ENV` and `WORKDIR` lines, after the packages, one instruction each.',
    }),
    cpu: z
      .number()
      .nullable()
      .meta({ description: 'Cores: reserved, and the most it gets. Null: what the backend gives.' }),
    memory_mib: z
      .int()
      .nullable()
      .meta({ description: 'Reserved, and the most it gets. Null: what the backend gives.' }),
    gpu: z
      .string()
      .nullable()
      .meta({ description: 'Kind, and optionally count, e.g. `T4` or `A100-80GB:2`. Null: none.' }),
  })
  .meta({ id: 'Machine' });
export type Machine = z.infer<typeof machine>;

/** What an environment has that says nothing. */
export const USUAL_MACHINE: Machine = { image: null, dockerfile: [], cpu: null, memory_mib: null, gpu: null };

/** `param` over `current`: what is not given stays, and null sets it back. */
export function changeMachine(param: MachineParam | null, current: Machine): Machine {
  if (param === null) return USUAL_MACHINE;
  const { image, dockerfile, cpu: cores, memory_mib, gpu: kind } = param;
  return {
    image: image === undefined ? current.image : image,
    dockerfile: dockerfile === undefined ? current.dockerfile : (dockerfile ?? []),
    cpu: cores === undefined ? current.cpu : cores,
    memory_mib: memory_mib === undefined ? current.memory_mib : memory_mib,
    gpu: kind === undefined ? current.gpu : kind,
  };
}
