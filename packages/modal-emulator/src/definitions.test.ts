import { describe, expect, it } from 'vitest';
import { loadDefinitions } from './definitions.ts';

describe('loadDefinitions', () => {
  it('finds both services of the installed SDK with working codecs', () => {
    const { controlPlane, commandRouter } = loadDefinitions();
    expect(controlPlane.fullName).toBe('modal.client.ModalClient');
    expect(commandRouter.fullName).toBe('modal.task_command_router.TaskCommandRouter');
    const { responseType } = controlPlane.methods.sandboxCreateV2;
    const message = {
      sandboxId: 'sb-1',
      taskId: 'ta-1',
      tunnels: [],
      commandRouterAccess: { url: 'u', jwt: 'j' },
    };
    const bytes = responseType.encode(responseType.fromPartial?.(message) ?? message).finish();
    expect(responseType.decode(bytes)).toMatchObject(message);
  });
});
