/** A worker that says that it works, and ends. */
process.send('ready', () => process.exit());
