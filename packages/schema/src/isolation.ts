// What stands between a sandbox's commands and the machine they run on, from weakest to strongest. `none`: nothing but a user.
// `process`: some namespaces. `container`: namespaces, no capabilities, filtered system calls, one shared kernel. `gvisor`: a
// kernel of its own in front of the machine's.
import { z } from 'zod';

export const isolation = z.enum(['none', 'process', 'container', 'gvisor']);
export type Isolation = z.infer<typeof isolation>;
