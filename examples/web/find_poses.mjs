// All that a program does with two end-to-end files, in a browser as in Node; `ort` is onnxruntime-web.

/** Find people in `rgb`, a Uint8Array of height * width * 3 values. */
export async function findPoses(ort, models, rgb, width, height) {
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

/** RGBA, as a canvas gives it, to RGB. */
export function dropAlpha(rgba) {
  const rgb = new Uint8Array((rgba.length / 4) * 3);
  for (let from = 0, to = 0; from < rgba.length; from += 4) {
    rgb[to++] = rgba[from];
    rgb[to++] = rgba[from + 1];
    rgb[to++] = rgba[from + 2];
  }
  return rgb;
}
