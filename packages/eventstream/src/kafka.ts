/** Entry point of its own, because it loads kafkajs. */
export { createKafkaDriver } from './drivers/kafka/kafkajs-driver.js';
