/** Program: runs a task of a contender: `stream-process.js <TaskArguments as JSON>`. */

import { streamContenders } from './stream-contenders.js';
import type { TaskArguments, TaskReport } from './stream-task.js';
import { runTask } from './task-runner.js';

const { contender: name, target, task } = JSON.parse(process.argv[2] ?? '{}') as TaskArguments;
const contender = streamContenders.find((each) => each.name === name);
if (!contender) throw new Error(`there is no contender "${name}"`);

const report = (message: TaskReport) =>
  new Promise<void>((resolve) => process.send?.(message, () => resolve()));
process.once('disconnect', () => process.exit());
const begun = () => void report({ type: 'begun' });
const result = await runTask({ contender, target, begun }, task);
await report({ type: 'done', result });
process.exit();
