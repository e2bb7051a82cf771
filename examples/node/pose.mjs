// Find the people of a JPEG photo and their keypoints, with onnxruntime-web and two end-to-end files:
//
//   npm install && node pose.mjs DETECTOR_end_to_end.onnx POSE_end_to_end.onnx PHOTO.jpg
//
// Everything but the decoding of the photo is inside the files. In a browser, `context.getImageData` gives
// the pixels instead; leave its alpha out, as `dropAlpha` does.
import { readFile } from "node:fs/promises";
import { pathToFileURL } from "node:url";

import jpeg from "jpeg-js";
import * as ort from "onnxruntime-web";

/** Load both models. Paths, URLs or the files' bytes. */
export async function loadModels(detector, pose) {
  return {
    detector: await ort.InferenceSession.create(detector),
    pose: await ort.InferenceSession.create(pose),
  };
}

/** Find people in `rgb`, a Uint8Array of height * width * 3 values. */
export async function findPoses(models, rgb, width, height) {
  const image = new ort.Tensor("uint8", rgb, [height, width, 3]);
  const found = await models.detector.run({ image });
  const { keypoints, scores } = await models.pose.run({ image, boxes: found.boxes });
  const [people, joints] = scores.dims;
  return Array.from({ length: people }, (_, person) => ({
    box: Array.from(found.boxes.data.slice(4 * person, 4 * person + 4)), // x1, y1, x2, y2
    score: found.scores.data[person],
    keypoints: Array.from({ length: joints }, (_, joint) => {
      const index = person * joints + joint;
      return [keypoints.data[2 * index], keypoints.data[2 * index + 1], scores.data[index]]; // x, y, score
    }),
  }));
}

/** RGBA to RGB. */
export function dropAlpha(rgba) {
  const rgb = new Uint8Array((rgba.length / 4) * 3);
  for (let from = 0, to = 0; from < rgba.length; from += 4) {
    rgb[to++] = rgba[from];
    rgb[to++] = rgba[from + 1];
    rgb[to++] = rgba[from + 2];
  }
  return rgb;
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [detector, pose, photo] = process.argv.slice(2);
  const models = await loadModels(await readFile(detector), await readFile(pose));
  const { data, width, height } = jpeg.decode(await readFile(photo), { useTArray: true });
  console.log(JSON.stringify(await findPoses(models, dropAlpha(data), width, height), null, 1));
}
