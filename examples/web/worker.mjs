// Runs the models away from the page, which stays responsive. Each message is { id, method, argument }; the
// answer has the same id and a `result` or an `error`.
import * as ort from "./ort/ort.wasm.min.mjs";

import { dropAlpha, findPoses } from "./find_poses.mjs";
import { cardOf } from "./model_file.mjs";

const ONLY_ERRORS = 3; // of ONNX Runtime's log levels

// ?threads=4 in the page's address; 0 lets onnxruntime-web choose: half of the cores, at most 4.
ort.env.wasm.numThreads = Number(new URLSearchParams(self.location.search).get("threads")) || 0;

let canvas = new OffscreenCanvas(1, 1);
const models = {};

const METHODS = {
  /** What runs the models; known when one is open. */
  runtime: () => ({ version: ort.env.versions.web, threads: ort.env.wasm.numThreads }),

  /** Take a model in place of the one that does the same. */
  async open({ bytes, name }) {
    const card = cardOf(bytes, name);
    const task = card.keypoints?.length ? "pose" : "detector";
    const options = { executionProviders: ["wasm"], logSeverityLevel: ONLY_ERRORS };
    const session = await ort.InferenceSession.create(bytes, options);
    await models[task]?.release();
    models[task] = session;
    return { task, card };
  },

  /** Find the people in an ImageBitmap; it is given back, to be drawn. */
  async find(bitmap) {
    const begin = performance.now();
    const { width, height } = bitmap;
    const people = await findPoses(ort, models, dropAlpha(pixelsOf(bitmap)), width, height);
    return { bitmap, people, milliseconds: performance.now() - begin };
  },
};

function pixelsOf(bitmap) {
  const { width, height } = bitmap;
  if (canvas.width !== width || canvas.height !== height) canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  return context.getImageData(0, 0, width, height).data;
}

async function answer({ id, method, argument }) {
  try {
    const result = await METHODS[method](argument);
    self.postMessage({ id, result }, result.bitmap ? [result.bitmap] : []);
  } catch (error) {
    self.postMessage({ id, error: error?.message ?? String(error) });
  }
}

let queue = Promise.resolve(); // one after the other: a session runs one picture at a time
self.onmessage = ({ data }) => {
  queue = queue.then(() => answer(data));
};
