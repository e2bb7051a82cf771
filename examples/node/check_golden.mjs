// Check this example, and onnxruntime-web itself, against golden vectors (pose-onnx export ... --golden):
//
//   node check_golden.mjs GOLDEN_FOLDER MODEL.onnx ...
//
// Each stage whose model file is given is run by that file, and the pair by findPoses. Prints a line for each output
// and ends with 1 if one is too far from what it must be.
import { readFile } from "node:fs/promises";
import path from "node:path";

import * as ort from "onnxruntime-web";

import { findPoses } from "../web/find_poses.mjs";

const [folder, ...files] = process.argv.slice(2);
const SURE = 0.2; // joints and boxes below are not compared where `only_where_sure` says so
const TYPES = { "<f4": ["float32", Float32Array], "|u1": ["uint8", Uint8Array] };

/** An array of a .npy file as a tensor. */
async function readNpy(name) {
  const { buffer } = new Uint8Array(await readFile(path.join(folder, name)));
  const start = 10 + new DataView(buffer).getUint16(8, true);
  const header = new TextDecoder().decode(buffer.slice(10, start));
  const [type, Values] = TYPES[/'descr': '([^']*)'/.exec(header)[1]];
  const shape = /'shape': \(([^)]*)\)/.exec(header)[1].split(",").filter((text) => text.trim()).map(Number);
  return new ort.Tensor(type, new Values(buffer.slice(start)), shape);
}

async function readAll(arrays) {
  const tensors = Object.entries(arrays).map(async ([name, { file }]) => [name, await readNpy(file)]);
  return Object.fromEntries(await Promise.all(tensors));
}

/** What findPoses gives, as arrays again. */
async function runPair(models, { image }) {
  const [height, width] = image.dims;
  const people = await findPoses(ort, models, image.data, width, height);
  const joints = people.flatMap((person) => person.keypoints);
  return {
    boxes: { data: people.flatMap((person) => person.box) },
    box_scores: { data: people.map((person) => person.score) },
    keypoints: { data: joints.flatMap(([x, y]) => [x, y]) },
    scores: { data: joints.map(([, , score]) => score) },
  };
}

/** What a stage gives here; undefined where this example cannot run it. */
async function run(stage) {
  const session = sessions[stage.model_file];
  if (session) return session.run(await readAll(stage.inputs));
  if (stage.part === "pair" && detector && pose) return runPair({ detector, pose }, await readAll(stage.inputs));
  return undefined;
}

/** The largest difference in rows, each a joint or a box, of which one score is high enough. */
function largestDifference(found, { data: expected, dims }, scores) {
  if (found.length !== expected.length) return Infinity;
  const width = dims.at(-1);
  const perRow = scores ? (scores.length / expected.length) * width : 0;
  const isSure = (row) => !scores || scores.slice(row * perRow, (row + 1) * perRow).some((score) => score >= SURE);
  const differences = Array.from(expected, (value, index) =>
    isSure(Math.floor(index / width)) ? Math.abs(found[index] - value) : 0);
  return differences.reduce((most, value) => Math.max(most, value), 0); // NaN if there is one
}

const { stages } = JSON.parse(await readFile(path.join(folder, "golden.json"), "utf8"));
const sessions = {};
for (const file of files) sessions[path.basename(file)] = await ort.InferenceSession.create(await readFile(file));
const [detector, pose] = stages
  .filter(({ part, name }) => name === "end_to_end" && part !== "pair")
  .map((stage) => sessions[stage.model_file]);
for (const stage of stages) {
  const found = await run(stage);
  if (!found) continue;
  const expected = await readAll(stage.outputs);
  for (const [name, { tolerance, only_where_sure: sure }] of Object.entries(stage.outputs)) {
    const difference = largestDifference(found[name].data, expected[name], expected[sure]?.data);
    if (!(difference <= tolerance)) process.exitCode = 1;
    console.log(`${stage.part} ${stage.name} ${name} ${difference} ${tolerance}`);
  }
}
