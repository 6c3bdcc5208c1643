import { EmbeddedEngine } from './engine.js';

/** The engine of a handle. If it has ended, it is replaced when it is needed next. */
export class EngineSupervisor {
  readonly #clusterDir: string | undefined;
  #current: EmbeddedEngine;
  #replacing: Promise<EmbeddedEngine> | undefined;

  private constructor(clusterDir: string | undefined, first: EmbeddedEngine) {
    this.#clusterDir = clusterDir;
    this.#current = first;
  }

  /**
   * Starts the first engine.
   * @param clusterDir folder of the cluster; undefined keeps it in memory, so no engine can follow
   * @throws Error if the first engine does not start
   */
  static async start(clusterDir: string | undefined): Promise<EngineSupervisor> {
    return new EngineSupervisor(clusterDir, await EmbeddedEngine.start(clusterDir));
  }

  /** Resolves to an engine that no connection uses yet. */
  async unusedEngine(): Promise<EmbeddedEngine> {
    // The recovery may take longer than the connection that began it waits: the next one uses it.
    if (this.#current.isUnused) return this.#current;
    this.#replacing ??= this.#replace().finally(() => {
      this.#replacing = undefined;
    });
    return this.#replacing;
  }

  async close(): Promise<void> {
    await this.#replacing?.catch(() => undefined);
    if (this.#current.isUnused) await this.#current.close();
    await this.#current.exited;
  }

  async #replace(): Promise<EmbeddedEngine> {
    await this.#current.exited;
    if (this.#clusterDir === undefined)
      throw new Error('the database was in memory and has ended; its data is lost');
    this.#current = await EmbeddedEngine.start(this.#clusterDir);
    return this.#current;
  }
}
