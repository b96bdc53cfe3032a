// Tools of which one is under the policy `auto`.
import type { Tool } from '@capstan/schema/tools';

/** Each call of `edit` is judged. */
export function withJudged(tools: readonly Tool[]): Tool[] {
  const edit = {
    type: 'edit' as const,
    name: 'edit' as const,
    enabled: true,
    permission_policy: { type: 'auto' as const },
  };
  return tools.map((tool) =>
    tool.type === 'agent_toolset_20260401'
      ? { ...tool, configs: [...tool.configs.filter(({ name }) => name !== 'edit'), edit] }
      : tool,
  );
}
