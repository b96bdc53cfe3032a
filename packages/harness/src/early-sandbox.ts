// The sandbox beside a model call: made while the model writes, so that a tool need not wait for it. Nothing of it is before
// the request is out, and a reply that is whole at once costs no sandbox.
import type { ModelCall, ModelPart } from '@capstan/session/harness';
import type { SessionSandbox } from './session-sandbox.ts';
import { worksInSandbox } from './tools/definitions.ts';

/** A reply that is whole by then needed no sandbox, or has said so itself. */
const EARLY_MS = 300;

type Needed = Pick<SessionSandbox, 'retry' | 'provision'>;

/** The reply that `open` gives; it is told when its request is out. */
export async function* beside(
  sandbox: Needed,
  call: ModelCall,
  open: (sent: () => void) => AsyncIterable<ModelPart>,
): AsyncGenerator<ModelPart> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const sent = () => {
    if (isAsked(call)) sandbox.retry();
    clearTimeout(timer);
    if (call.builtIn && worksInSandbox(call.agent)) timer = setTimeout(() => sandbox.provision(), EARLY_MS);
  };
  try {
    yield* open(sent);
  } finally {
    clearTimeout(timer);
  }
}

/** Whether somebody has said something since the model was last asked. */
function isAsked({ context }: ModelCall): boolean {
  const last = context.at(-1);
  return last?.type === 'user' || last?.type === 'system';
}
