// Models that run one after another, as one session of onnxruntime-web.

export class Chain {
  #sessions;

  constructor(sessions) {
    this.#sessions = sessions;
  }

  /** Run all; a session gets its inputs by name, from `feeds` and from the sessions before. */
  async run(feeds) {
    const tensors = { ...feeds };
    for (const session of this.#sessions) {
      const wanted = session.inputNames.map((name) => [name, tensors[name]]);
      Object.assign(tensors, await session.run(Object.fromEntries(wanted)));
    }
    return tensors;
  }

  async release() {
    for (const session of this.#sessions) await session.release();
  }
}
