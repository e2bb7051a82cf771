// The example's functions on raw RGB pixels: node poses_of_pixels.mjs DETECTOR POSE REQUESTS.json
// REQUESTS.json holds [{file, width, height}, ...]; an array with the people of each is printed, found with the
// whole files, and one found with the files cut in parts, as the page runs them with WebGPU.
import { readFile } from "node:fs/promises";

import * as ort from "onnxruntime-web";

import { Chain } from "../web/chain.mjs";
import { findPoses } from "../web/find_poses.mjs";
import { splitModel } from "../web/split_model.mjs";
import { loadModels } from "./pose.mjs";

const [detector, pose, requests] = process.argv.slice(2);
const files = [await readFile(detector), await readFile(pose)];
const chains = files.map(async (file) => {
  const sessions = [];
  for (const part of splitModel(file)) sessions.push(await ort.InferenceSession.create(part));
  return new Chain(sessions);
});
const whole = await loadModels(...files);
const parts = { detector: await chains[0], pose: await chains[1] };

const found = { whole: [], parts: [] };
for (const { file, width, height } of JSON.parse(await readFile(requests, "utf8"))) {
  const rgb = new Uint8Array(await readFile(file));
  found.whole.push(await findPoses(ort, whole, rgb, width, height));
  found.parts.push(await findPoses(ort, parts, rgb, width, height));
}
console.log(JSON.stringify(found));
