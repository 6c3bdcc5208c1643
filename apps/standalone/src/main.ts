#!/usr/bin/env node
import { requireNode } from '@posthaste/service/node-version';

requireNode(24);
// Only now: older versions of Node cannot load what the commands need.
const { createProgram } = await import('./program.js');
const { runCommandLine } = await import('./command-line.js');
await runCommandLine(createProgram());
