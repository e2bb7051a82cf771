// The JSON of `pose-onnx run` (pose_onnx/formats/results.py).

const SCHEMA = "pose_onnx.results/1";
const DECIMALS = 4;

/** The document: `frames` have `path`, `width`, `height` and `people` as `findPoses` gives them. */
export function resultsJson(settings, frames, names) {
  const images = frames.map(({ path, width, height, people }) => ({
    path,
    width,
    height,
    picture: null,
    keypoint_names: names,
    people: people.map(({ box, score, keypoints }) => ({
      box: box.map(rounded),
      box_score: rounded(score),
      keypoints: keypoints.map(([x, y]) => [rounded(x), rounded(y)]),
      scores: keypoints.map(([, , sureness]) => rounded(sureness)),
    })),
  }));
  const lines = images.map((image) => `\n  ${JSON.stringify(image)}`).join(",");
  return `{"schema": "${SCHEMA}",\n "settings": ${JSON.stringify(settings)},\n "images": [${lines}],\n "failures": []}\n`;
}

function rounded(value) {
  return Number(value.toFixed(DECIMALS)); // NaN and infinities become null in JSON
}
