// Where property tests begin: at the seed of the commit, so that a commit is always judged alike and every new one tries something
// else. `PROPERTY_SEED` sees a failure again, or tries more.
import fc from 'fast-check';

const { PROPERTY_SEED } = process.env;

fc.configureGlobal({ seed: Number(PROPERTY_SEED) });
