// Holds the database binding of tests; it answers nothing itself.
export default {
  fetch: () => new Response(null, { status: 404 }),
};
