import type { ErasingProgress, ErasingStep, ErasureSelection } from '@posthaste/contracts';
import type { Database, Transaction } from '@posthaste/postgres';
import type { ErasureKind } from './erasure.js';
import {
  advanceErasure,
  type DueErasure,
  finishErasure,
  pickErasure,
  postponeErasure,
} from './erasure-store.js';

/** Erasure as a stage sees it. */
export interface RunningErasure {
  readonly selection: ErasureSelection;
  /** Time since it was asked for, in ms. */
  readonly ageMs: number;
}

/** One stage of an erasure: what one package removes or erases. */
export interface ErasureStage {
  /** Name in the progress, unique within its list. */
  readonly name: string;
  /** Makes one step, in a transaction that stores the progress too. */
  run(tx: Transaction, erasure: RunningErasure, step: ErasingStep): Promise<ErasingProgress>;
}

/** Stages of each kind of erasure, in their order. */
export type ErasureStages = Readonly<Record<ErasureKind, readonly ErasureStage[]>>;

/** Options of {@link ErasureRunner}. */
export interface ErasureRunnerOptions {
  /** Most rows of one step. Default 200: a step takes some milliseconds, and holds its locks as long. */
  readonly stepRows?: number | undefined;
  /**
   * Pause after a step, as a multiple of the time that it took: the part of one connection, and of
   * the disks, that erasing leaves to others. Default 2.
   */
  readonly pauseFactor?: number | undefined;
  /** Longest time of one call of `run`, in ms. Default 1,000. */
  readonly runMs?: number | undefined;
}

/** Wait after a step that failed, in ms. */
const failedWaitMs = 5_000;
const minPauseMs = 2;

/**
 * Runs the steps of erasures. Any number of processes may have one: the row of an erasure is locked
 * for each step, and a process that is killed leaves a step that never happened.
 */
export class ErasureRunner {
  readonly #db: Database;
  readonly #stages: ErasureStages;
  readonly #stepRows: number;
  readonly #pauseFactor: number;
  readonly #runMs: number;
  #closed = false;

  constructor(
    db: Database,
    stages: ErasureStages,
    { stepRows = 200, pauseFactor = 2, runMs = 1_000 }: ErasureRunnerOptions = {},
  ) {
    this.#db = db;
    this.#stages = stages;
    this.#stepRows = stepRows;
    this.#pauseFactor = pauseFactor;
    this.#runMs = runMs;
  }

  /**
   * Makes steps, with pauses, as long as there are any that are due and the time is not over.
   * @returns true if there may be more to do at once
   * @throws the error of a step, after it was noted in the erasure
   */
  async run(): Promise<boolean> {
    const end = performance.now() + this.#runMs;
    while (!this.#closed) {
      const startedAt = performance.now();
      if (!(await this.step())) return false;
      const now = performance.now();
      if (now >= end) return true;
      await sleep(Math.max(minPauseMs, (now - startedAt) * this.#pauseFactor));
    }
    return false;
  }

  /** Makes one step of the erasure whose turn it is. @returns false if none is due */
  async step(): Promise<boolean> {
    let picked: DueErasure | undefined;
    try {
      return await this.#db.transaction(async (tx) => {
        picked = await pickErasure(tx);
        if (!picked) return false;
        await this.#stepOf(tx, picked);
        return true;
      });
    } catch (error) {
      if (picked) await this.#postpone(picked.id, error);
      throw error;
    }
  }

  /** Starts no further step. The one in hand is finished. */
  close(): void {
    this.#closed = true;
  }

  async #stepOf(tx: Transaction, erasure: DueErasure): Promise<void> {
    const stages = this.#stages[erasure.kind];
    // A stage of a later version that this one does not know: begin again, which erases nothing twice.
    const found = stages.findIndex(({ name }) => name === erasure.stage);
    const index = Math.max(0, found);
    const stage = stages[index];
    if (!stage) return finishErasure(tx, erasure.id);
    const position = found < 0 ? undefined : erasure.position;
    const progress = await stage.run(tx, erasure, { position, limit: this.#stepRows });
    const next = progress.done ? stages[index + 1] : stage;
    const done = progress.done ? { ...progress, position: undefined } : progress;
    await advanceErasure(tx, { id: erasure.id, stage: next?.name ?? 'done', progress: done });
    if (!next) await finishErasure(tx, erasure.id);
  }

  async #postpone(id: string, error: unknown): Promise<void> {
    const message = error instanceof Error ? error.message : String(error);
    // It cannot be noted without the database either; the step is tried again all the same.
    await postponeErasure(this.#db, { id, error: message, waitMs: failedWaitMs }).catch(
      () => undefined,
    );
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
