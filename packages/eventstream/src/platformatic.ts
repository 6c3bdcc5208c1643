/** Entry point of its own, because it loads the client library. */
export { createPlatformaticDriver } from './drivers/platformatic/platformatic-driver.js';
