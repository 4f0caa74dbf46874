// The built command line without the freshness checks of a checkout: the test run has built it.
import { main } from '../../dist/server/cli/main.js';

await main(process.argv);
