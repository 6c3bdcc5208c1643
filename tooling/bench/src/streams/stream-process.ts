/** A contender's process: `stream-process.js <TaskArguments as JSON>`. Ends when it is done. */

import { streamContenders } from './stream-contenders.js';
import type { TaskArguments, TaskReport } from './stream-task.js';
import { workOn } from './stream-work.js';

const { contender: name, place, task } = JSON.parse(process.argv[2] ?? '{}') as TaskArguments;
const contender = streamContenders.find((each) => each.name === name);
if (!contender) throw new Error(`no contender ${name}`);

const report = (message: TaskReport) =>
  new Promise<void>((resolve) => process.send?.(message, () => resolve()));
process.once('disconnect', () => process.exit());
const begun = () => void report({ type: 'begun' });
const result = await workOn({ contender, place, begun }, task);
await report({ type: 'done', result });
process.exit();
