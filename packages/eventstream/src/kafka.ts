/** Entry point of its own, because it loads the client library of Kafka. */
export { createKafkaDriver } from './drivers/kafka/kafkajs-driver.js';
