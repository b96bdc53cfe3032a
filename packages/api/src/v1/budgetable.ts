// Whether a session's models can be held to a budget: money is counted by list prices, and not every model has one.
import type { AgentSnapshot } from '@capstan/schema/agents';
import type { Budget } from '@capstan/schema/budgets';
import { ApiError } from '@capstan/schema/error';
import { advisorOf, calledBy } from '@capstan/schema/roster';
import type { Sessions } from '@capstan/session/service';

interface Spender {
  tenantId: string;
  agent: AgentSnapshot;
  budget: Budget | null | undefined;
}

/** Refuses (`invalid_request`) a limit in money for an agent that may call a model without a known list price. */
export async function requireBudgetable(
  sessions: Pick<Sessions, 'unpriced'>,
  { tenantId, agent, budget }: Spender,
): Promise<void> {
  if (!budget?.max_list_cost) return;
  const { multiagent } = agent;
  const advisor = advisorOf(multiagent);
  const models = [agent, ...calledBy(multiagent)].map(({ model: { id, speed } }) => ({
    id,
    ...(speed && { speed }),
  }));
  if (advisor !== null) models.push({ id: advisor });
  const [unpriced] = await sessions.unpriced(tenantId, models);
  if (unpriced === undefined) return;
  throw new ApiError(
    'invalid_request',
    `budget.max_list_cost: no price is known for the model ${unpriced}; limit max_tokens or max_model_calls instead, or set its price on a model card`,
    { reason: 'model_not_budgetable' },
  );
}
