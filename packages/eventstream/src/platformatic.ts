/** Entry point of its own, because it loads @platformatic/kafka, an optional peer dependency. */
export { createPlatformaticDriver } from './drivers/platformatic/platformatic-driver.js';
