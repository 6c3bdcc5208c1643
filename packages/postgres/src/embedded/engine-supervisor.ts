import { EmbeddedEngine } from './engine.js';

/** The engine of a handle, and those that follow it: one that died is replaced when next needed. */
export class EmbeddedEngines {
  readonly #clusterDir: string | undefined;
  #current: EmbeddedEngine;
  #replacing: Promise<EmbeddedEngine> | undefined;

  private constructor(clusterDir: string | undefined, first: EmbeddedEngine) {
    this.#clusterDir = clusterDir;
    this.#current = first;
  }

  /**
   * @param clusterDir folder of the cluster; undefined keeps it in memory, where nothing can follow
   * @throws Error when the first engine does not start
   */
  static async begin(clusterDir: string | undefined): Promise<EmbeddedEngines> {
    return new EmbeddedEngines(clusterDir, await EmbeddedEngine.start(clusterDir));
  }

  /** An engine that no connection has taken yet. */
  async next(): Promise<EmbeddedEngine> {
    // Recovery may outlast the patience of the connection that began it: the next one finds it.
    if (this.#current.isFree) return this.#current;
    this.#replacing ??= this.#replace().finally(() => {
      this.#replacing = undefined;
    });
    return this.#replacing;
  }

  async close(): Promise<void> {
    await this.#replacing?.catch(() => undefined);
    if (this.#current.isFree) await this.#current.close();
    await this.#current.exited;
  }

  async #replace(): Promise<EmbeddedEngine> {
    await this.#current.exited;
    if (this.#clusterDir === undefined) throw new Error('the database was in memory, and is gone');
    this.#current = await EmbeddedEngine.start(this.#clusterDir);
    return this.#current;
  }
}
