// Written by `pnpm client` from the routes of the schema: change those, not this.
import type { skillRoutes } from '@capstan/schema/skills';
import { download, endpoint, upload } from '../endpoint.ts';
import type { Transport } from '../transport.ts';

export function skills(transport: Transport) {
  return {
    /** Create a skill from the files of its first version */
    create: upload<typeof skillRoutes.create>(transport, 'post', '/v1/skills'),
    /** List skills, newest first */
    list: endpoint<typeof skillRoutes.list>(transport, 'get', '/v1/skills'),
    /** Retrieve a skill */
    retrieve: endpoint<typeof skillRoutes.retrieve>(transport, 'get', '/v1/skills/{skill_id}'),
    /** Delete a skill with its versions: sessions that exist keep theirs */
    delete: endpoint<typeof skillRoutes.delete>(transport, 'delete', '/v1/skills/{skill_id}'),
    /** Create the next version of a skill */
    createVersion: upload<typeof skillRoutes.createVersion>(transport, 'post', '/v1/skills/{skill_id}/versions'),
    /** List a skill's versions, newest first */
    versions: endpoint<typeof skillRoutes.versions>(transport, 'get', '/v1/skills/{skill_id}/versions'),
    /** Retrieve a version of a skill, or `latest` */
    retrieveVersion: endpoint<typeof skillRoutes.retrieveVersion>(transport, 'get', '/v1/skills/{skill_id}/versions/{version}'),
    /** Download the files of a version, or of `latest`, as a zip archive */
    download: download<typeof skillRoutes.download>(transport, 'get', '/v1/skills/{skill_id}/versions/{version}/content'),
    /** Delete a version of a skill, unless it is its only one: sessions that exist keep it */
    deleteVersion: endpoint<typeof skillRoutes.deleteVersion>(transport, 'delete', '/v1/skills/{skill_id}/versions/{version}'),
  };
}
