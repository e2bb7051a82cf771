// The example's functions on raw RGB pixels: node poses_of_pixels.mjs DETECTOR POSE REQUESTS.json
// REQUESTS.json holds [{file, width, height}, ...]; an array with the people of each is printed.
import { readFile } from "node:fs/promises";

import * as ort from "onnxruntime-web";

import { findPoses } from "../web/find_poses.mjs";
import { loadModels } from "./pose.mjs";

const [detector, pose, requests] = process.argv.slice(2);
const models = await loadModels(await readFile(detector), await readFile(pose));
const found = [];
for (const { file, width, height } of JSON.parse(await readFile(requests, "utf8"))) {
  found.push(await findPoses(ort, models, new Uint8Array(await readFile(file)), width, height));
}
console.log(JSON.stringify(found));
