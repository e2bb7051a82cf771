// Find the people of a JPEG photo and their keypoints, with onnxruntime-web and two end-to-end files:
//
//   npm install && node pose.mjs DETECTOR_end_to_end.onnx POSE_end_to_end.onnx PHOTO.jpg
//
// Everything but the decoding of the photo is inside the files. ../web does the same in a browser, and shares
// find_poses.mjs.
import { readFile } from "node:fs/promises";
import { pathToFileURL } from "node:url";

import jpeg from "jpeg-js";
import * as ort from "onnxruntime-web";

import { dropAlpha, findPoses } from "../web/find_poses.mjs";

/** Load both models. Paths, URLs or the files' bytes. */
export async function loadModels(detector, pose) {
  return {
    detector: await ort.InferenceSession.create(detector),
    pose: await ort.InferenceSession.create(pose),
  };
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [detector, pose, photo] = process.argv.slice(2);
  const models = await loadModels(await readFile(detector), await readFile(pose));
  const { data, width, height } = jpeg.decode(await readFile(photo), { useTArray: true });
  console.log(JSON.stringify(await findPoses(ort, models, dropAlpha(data), width, height), null, 1));
}
