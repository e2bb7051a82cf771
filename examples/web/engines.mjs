// The ways to run a model, by the name that the page shows. Each opens a session, which has `run` and `release`.
import { Chain } from "./chain.mjs";
import * as ort from "./ort/ort.wasm.min.mjs";
import { splitModel } from "./split_model.mjs";

const ONLY_ERRORS = 3; // of ONNX Runtime's log levels
const IMITATED = "This browser's WebGPU runs on the processor, slower than WebAssembly.";
const NO_ADAPTER = "This browser offers no graphics card for WebGPU.";

export const ENGINES = {
  WebGPU: openOnGpu,
  WebAssembly: (bytes) => openIn(ort, bytes, "wasm"),
};

/** The name of the engine to begin with, and a note that says why it is not WebGPU. */
export async function bestEngine() {
  const adapter = await findAdapter();
  if (!adapter) return { engine: "WebAssembly", note: NO_ADAPTER };
  if (adapter.info?.isFallbackAdapter) return { engine: "WebAssembly", note: IMITATED };
  return { engine: "WebGPU", note: "" };
}

function findAdapter() {
  return navigator.gpu?.requestAdapter().catch(() => null);
}

/** The network runs on the graphics card, the steps around it in WebAssembly: WebGPU has no float64. */
async function openOnGpu(bytes) {
  if (!(await findAdapter())) throw new Error(NO_ADAPTER);
  const gpu = await import("./ort/ort.webgpu.min.mjs"); // here, as it loads 27 MB
  gpu.env.wasm.numThreads = 1;
  const [before, network, after] = splitModel(bytes);
  return new Chain([await openIn(ort, before, "wasm"), await openIn(gpu, network, "webgpu"), await openIn(ort, after, "wasm")]);
}

function openIn(runtime, bytes, provider) {
  return runtime.InferenceSession.create(bytes, { executionProviders: [provider], logSeverityLevel: ONLY_ERRORS });
}
