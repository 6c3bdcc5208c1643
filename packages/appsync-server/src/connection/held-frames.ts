import type { FrameSink } from './send-queue.js';

/** Live frames of a subscription that has not got its missed events yet. */
export class HeldFrames implements FrameSink {
  frames = '';
  /** True after more came than may wait. They are dropped, and all later ones, too. */
  isOverfull = false;

  constructor(private readonly maxBytes: number) {}

  appended(): void {
    if (this.frames.length > this.maxBytes) this.isOverfull = true;
    if (this.isOverfull) this.frames = '';
  }
}
