// What the vendor's cloud has and a server of one's own cannot have, or leaves to another program: every path below
// these, which may have names of ids in braces, answers `not_implemented` with a sentence that says what to use instead. `docs/compatibility.md` lists them.
export interface VendorOnly {
  path: `/v1/${string}`;
  /** What it is, with its verb, and what serves instead. */
  because: string;
}

const ENROLLMENT =
  "Programs that users enroll in belong to the vendor's platform: keep what you know of a user in the profile's metadata";

export const VENDOR_ONLY: readonly VendorOnly[] = [
  {
    path: '/v1/messages',
    because:
      'Model calls are not served here: send them to the provider itself. Sessions call models with the keys of this installation',
  },
  {
    path: '/v1/tunnels',
    because:
      "MCP tunnels end in the vendor's network: give an agent the address of an MCP server that this server can reach",
  },
  {
    path: '/v1/organizations',
    because:
      "Administration of an organization on the vendor's platform has no meaning on a server of one's own",
  },
  {
    path: '/v1/user_profiles/{user_profile_id}/enrollment_url',
    because: ENROLLMENT,
  },
  {
    path: '/v1/user_profiles/{user_profile_id}/action_urls',
    because: ENROLLMENT,
  },
  {
    path: '/v1/oauth',
    because: "Tokens of the vendor's accounts are not issued here: use an API key of this server",
  },
];

const known = VENDOR_ONLY.map((each) => ({
  each,
  pattern: new RegExp(`^${each.path.replaceAll(/\{\w+\}/g, '[^/]+')}(/|$)`),
}));

export function vendorOnly(pathname: string): VendorOnly | null {
  return known.find(({ pattern }) => pattern.test(pathname))?.each ?? null;
}
