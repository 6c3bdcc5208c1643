/** Program: a worker that reports that it serves, and ends. */
process.send('ready', () => process.exit());
