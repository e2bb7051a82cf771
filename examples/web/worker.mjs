// Runs the models away from the page, which stays responsive. Each message is { id, method, argument }; the
// answer has the same id, a `result` or an `error`, and the `runtime`: what runs the models.
import * as ort from "./ort/ort.wasm.min.mjs";

import { bestEngine, ENGINES } from "./engines.mjs";
import { dropAlpha, findPoses } from "./find_poses.mjs";
import { cardOf } from "./model_file.mjs";

// ?threads=4 in the page's address; 0 lets onnxruntime-web choose: half of the cores, at most 4.
ort.env.wasm.numThreads = Number(new URLSearchParams(self.location.search).get("threads")) || 0;

let canvas = new OffscreenCanvas(1, 1);
let running; // the name of the engine, and a note on it
const files = {}; // the bytes of each model, by task
const models = {}; // and its session

const METHODS = {
  /** Take a model in place of the one that does the same. */
  async open({ bytes, name }) {
    const card = cardOf(bytes, name);
    const task = card.keypoints?.length ? "pose" : "detector";
    await withEngine(async () => replace(task, await ENGINES[running.engine](bytes)));
    files[task] = bytes;
    return { task, card };
  },

  /** Have the models run by another engine. */
  async use(engine) {
    try {
      await use(engine, "");
    } catch (error) {
      throw new Error(`${engine} cannot be used, so ${running.engine} stays: ${messageOf(error)}`);
    }
  },

  /** Find the people in an ImageBitmap; it is given back, to be drawn. */
  async find(bitmap) {
    const begin = performance.now();
    const { width, height } = bitmap;
    const rgb = dropAlpha(pixelsOf(bitmap));
    const people = await withEngine(() => findPoses(ort, models, rgb, width, height));
    return { bitmap, people, milliseconds: performance.now() - begin };
  },
};

/** Do something with the models. Should WebGPU fail, WebAssembly takes over. */
async function withEngine(action) {
  try {
    return await action();
  } catch (error) {
    if (running.engine === "WebAssembly") throw error;
    await use("WebAssembly", `${running.engine} failed; reload the page to try it again. Reason: ${messageOf(error)}`);
    return action();
  }
}

async function use(engine, note) {
  const opened = [];
  for (const [task, bytes] of Object.entries(files)) opened.push([task, await ENGINES[engine](bytes)]);
  for (const [task, session] of opened) await replace(task, session);
  running = { engine, note };
}

async function replace(task, session) {
  await models[task]?.release();
  models[task] = session;
}

function pixelsOf(bitmap) {
  const { width, height } = bitmap;
  if (canvas.width !== width || canvas.height !== height) canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  return context.getImageData(0, 0, width, height).data;
}

function messageOf(error) {
  return error?.message ?? String(error);
}

async function answer({ id, method, argument }) {
  const reply = { id };
  try {
    reply.result = await METHODS[method](argument);
  } catch (error) {
    reply.error = messageOf(error);
  }
  reply.runtime = { version: ort.env.versions.web, threads: ort.env.wasm.numThreads, ...running };
  self.postMessage(reply, reply.result?.bitmap ? [reply.result.bitmap] : []);
}

// One after the other: a session runs one picture at a time.
let queue = bestEngine().then((best) => {
  running = best;
});
self.onmessage = ({ data }) => {
  queue = queue.then(() => answer(data));
};
