export { callbacksMigrations } from './migrations.js';
export { Intake } from './intake.js';
export { Dispatcher } from './dispatcher.js';
