// Poses on a canvas, as pose_onnx/drawing draws them: the same colours, widths and opacities.

const COLORS_RGB = { left: [255, 140, 0], right: [0, 160, 255], middle: [240, 240, 240] };
const OUTLINE_RGB = [20, 20, 20];
const WIDTH_PER_IMAGE = 1 / 160;
const WIDTH_PER_PERSON = 1 / 50;
const MIN_WIDTH = 1;
const FRAME_WIDTH = 0.35;
const FRAME_ALPHA = 0.8;
const SURE_SCORE = 0.6;
const FAINTEST = 0.35;
const LEAST_RANGE = 1e-6;

/** Draw people, as `findPoses` gives them, with the names and the skeleton of a card. */
export function drawPoses(context, people, card, minScore) {
  context.save();
  context.translate(0.5, 0.5); // an integer coordinate is the centre of a pixel
  context.lineCap = "round";
  const sides = card.keypoints.map(sideOf);
  for (const person of people) {
    const width = lineWidth(context.canvas, person.box);
    drawFrame(context, person.box, width);
    drawPerson(context, person.keypoints, sides, card.skeleton, width, minScore);
  }
  context.restore();
}

function drawFrame(context, [left, top, right, bottom], width) {
  paint(context, COLORS_RGB.middle, FRAME_ALPHA);
  context.lineWidth = Math.max(MIN_WIDTH, width * FRAME_WIDTH);
  context.strokeRect(left, top, right - left, bottom - top);
}

/** Lines, then joints; each first as a dark outline, so that it shows on any ground. */
function drawPerson(context, keypoints, sides, skeleton, width, minScore) {
  const alphas = keypoints.map(([, , score]) => opacity(score, minScore));
  const limbs = skeleton.filter(([from, to]) => alphas[from] && alphas[to]);
  for (const outline of [true, false]) {
    for (const [from, to] of limbs) {
      const named = [sides[from], sides[to]].filter((side) => side !== "middle");
      const side = named.length && named.every((other) => other === named[0]) ? named[0] : "middle";
      paint(context, outline ? OUTLINE_RGB : COLORS_RGB[side], Math.min(alphas[from], alphas[to]));
      context.lineWidth = outline ? 2 * width : width;
      context.beginPath();
      context.moveTo(...keypoints[from].slice(0, 2));
      context.lineTo(...keypoints[to].slice(0, 2));
      context.stroke();
    }
  }
  keypoints.forEach(([x, y], index) => {
    if (!alphas[index]) return;
    for (const [color, radius] of [[OUTLINE_RGB, 1.5 * width], [COLORS_RGB[sides[index]], width]]) {
      paint(context, color, alphas[index]);
      context.beginPath();
      context.arc(x, y, radius, 0, 2 * Math.PI);
      context.fill();
    }
  });
}

function paint(context, rgb, alpha) {
  context.globalAlpha = alpha;
  context.strokeStyle = context.fillStyle = `rgb(${rgb})`;
}

function lineWidth({ width, height }, [left, top, right, bottom]) {
  const ofImage = Math.sqrt(width * height) * WIDTH_PER_IMAGE;
  const ofPerson = Math.sqrt(Math.max(0, (right - left) * (bottom - top))) * WIDTH_PER_PERSON;
  return Math.max(MIN_WIDTH, Math.min(ofImage, ofPerson));
}

function opacity(score, minScore) {
  if (score < minScore) return 0;
  const sureness = Math.min(1, (score - minScore) / Math.max(SURE_SCORE - minScore, LEAST_RANGE));
  return FAINTEST + (1 - FAINTEST) * sureness;
}

/** "left", "right" or "middle", by the words of a keypoint's name. */
function sideOf(name) {
  const words = name.replace(/([a-z])(?=[A-Z])/g, "$1_").toLowerCase().split(/[^a-z]+/);
  const sides = { left: "left", l: "left", right: "right", r: "right" };
  return words.map((word) => sides[word]).find(Boolean) ?? "middle";
}
