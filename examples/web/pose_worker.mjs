// The page's side of worker.mjs.

export class PoseWorker {
  #worker = new Worker(new URL(`worker.mjs${location.search}`, import.meta.url), { type: "module" });
  #waiting = new Map();
  #count = 0;

  /** `onruntime` is called with what runs the models, each time before an answer is given. */
  constructor(onruntime) {
    this.#worker.onmessage = ({ data: { id, result, error, runtime } }) => {
      onruntime(runtime);
      const { resolve, reject } = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (error === undefined) resolve(result);
      else reject(new Error(error));
    };
    this.#worker.onerror = (event) => {
      this.#waiting.forEach(({ reject }) => reject(new Error(event.message || "onnxruntime-web cannot be loaded; run: pose-onnx web")));
      this.#waiting.clear();
    };
  }

  /** Have a method of worker.mjs run; `transfer` moves there instead of being copied. */
  call(method, argument, transfer = []) {
    return new Promise((resolve, reject) => {
      const id = this.#count++;
      this.#waiting.set(id, { resolve, reject });
      this.#worker.postMessage({ id, method, argument }, transfer);
    });
  }
}
