import { describe, expect, it } from 'vitest';
import { type Cases, collect, text, until } from '../ground.ts';

export const deploymentCases: Cases = (ground) => {
  describe('beta.deployments and beta.deploymentRuns', () => {
    it('run an agent by hand and by the clock', async () => {
      const { client, agentId, environmentId } = ground();
      const { deployments, deploymentRuns } = client.beta;
      const made = await deployments.create({
        name: 'Compat',
        agent: agentId,
        environment_id: environmentId,
        initial_events: [{ type: 'user.message', content: text('[[say good morning]]') }],
        schedule: { type: 'cron', expression: '0 9 * * 1-5', timezone: 'Europe/Vienna' },
      });
      expect(made).toMatchObject({
        type: 'deployment',
        status: 'active',
        agent: { type: 'agent', id: agentId, version: 1 },
        paused_reason: null,
        budget: null,
        vault_ids: [],
        resources: [],
      });
      expect(made.schedule?.upcoming_runs_at).toHaveLength(5);
      expect(await deployments.pause(made.id)).toMatchObject({
        status: 'paused',
        paused_reason: { type: 'manual' },
      });
      expect(await deployments.unpause(made.id)).toMatchObject({ status: 'active', paused_reason: null });
      expect(await deployments.update(made.id, { schedule: null, name: 'By hand' })).toMatchObject({
        schedule: null,
      });
      const run = await deployments.run(made.id);
      expect(run).toMatchObject({
        type: 'deployment_run',
        deployment_id: made.id,
        trigger_context: { type: 'manual' },
        error: null,
      });
      const { session_id } = run;
      if (session_id === null) throw new Error('no session');
      await until(async () => {
        const events = await collect(client.beta.sessions.events.list(session_id));
        return JSON.stringify(events).includes('good morning');
      });
      expect(await client.beta.sessions.retrieve(session_id)).toMatchObject({ deployment_id: made.id });
      expect(await deploymentRuns.retrieve(run.id)).toMatchObject({ id: run.id });
      expect(await collect(deploymentRuns.list({ deployment_id: made.id }))).toHaveLength(1);
      expect((await collect(deployments.list({ agent_id: agentId }))).map(({ id }) => id)).toContain(made.id);
      expect(await deployments.retrieve(made.id)).toMatchObject({ name: 'By hand' });
      expect((await deployments.archive(made.id)).archived_at).not.toBeNull();
    });
  });
};
