// Poses on a canvas, as pose_onnx/drawing draws them: the same colours and widths.

const SIDE_COLORS_RGB = { left: [255, 140, 0], right: [0, 160, 255] };
const PERSON_COLORS_RGB = [
  [60, 230, 60],
  [255, 70, 180],
  [255, 240, 60],
  [175, 100, 255],
  [240, 240, 240],
  [45, 175, 160],
  [240, 170, 245],
  [200, 125, 115],
];
const NEIGHBOURHOOD = 0.5;
const DARK_RGB = [20, 20, 20];
const WIDTH_PER_IMAGE = 1 / 160;
const WIDTH_PER_PERSON = 1 / 50;
const MIN_WIDTH = 1.5;
const MIN_RADIUS = 1.5;
const RIM = 0.4;
const MIN_RIM = 1;
const FRAME_WIDTH = 0.35;
const DASH = 4;
const SURE_SCORE = 0.6;
const THINNEST = 0.4;
const LEAST_RANGE = 1e-6;

/** Draw people, as `findPoses` gives them, with the names and the skeleton of a card; the first one on top. */
export function drawPoses(context, people, card, minScore) {
  context.save();
  context.translate(0.5, 0.5); // an integer coordinate is the centre of a pixel
  context.lineCap = "round";
  const sides = card.keypoints.map(sideOf);
  const colors = personColors(people.map(({ box }) => box));
  for (let index = people.length - 1; index >= 0; index--) {
    const { box, keypoints } = people[index];
    const width = lineWidth(context.canvas, box);
    const widths = keypoints.map(([, , score]) => width * share(score, minScore));
    drawFrame(context, box, colors[index], Math.max(1, width * FRAME_WIDTH), !widths.some(Boolean));
    drawPerson(context, keypoints, sides, card.skeleton, widths, colors[index]);
  }
  context.restore();
}

/** A colour for each box: that of its place in the list, unless a neighbour has it already. */
function personColors(boxes) {
  const chosen = [];
  boxes.forEach((box, index) => {
    const nearest = PERSON_COLORS_RGB.map(() => Infinity);
    chosen.forEach((color, other) => {
      nearest[color] = Math.min(nearest[color], distance(box, boxes[other]));
    });
    const own = index % PERSON_COLORS_RGB.length;
    chosen.push(nearest[own] > NEIGHBOURHOOD ? own : nearest.indexOf(Math.max(...nearest)));
  });
  return chosen.map((color) => PERSON_COLORS_RGB[color]);
}

/** The gap between two boxes, over the longest of their sides. */
function distance([left, top, right, bottom], [left2, top2, right2, bottom2]) {
  const gap = Math.max(0, left - right2, left2 - right, top - bottom2, top2 - bottom);
  return gap / Math.max(1, right - left, bottom - top, right2 - left2, bottom2 - top2);
}

function drawFrame(context, [left, top, right, bottom], color, width, dashed) {
  const { width: across, height: down } = context.canvas;
  const inset = width / 2 + MIN_RIM;
  const inside = (value, end) => Math.min(Math.max(value, inset), end - 1 - inset);
  const [x, y] = [inside(left, across), inside(top, down)];
  context.save();
  context.lineCap = "butt";
  if (dashed) context.setLineDash([DASH * (width + 2), DASH * (width + 2)]);
  for (const [paint, thickness] of [[DARK_RGB, width + 2 * MIN_RIM], [color, width]]) {
    context.strokeStyle = `rgb(${paint})`;
    context.lineWidth = thickness;
    context.strokeRect(x, y, inside(right, across) - x, inside(bottom, down) - y);
  }
  context.restore();
}

/** Lines, then joints; each first as a dark rim, so that it shows on any ground. */
function drawPerson(context, keypoints, sides, skeleton, widths, color) {
  const limbs = skeleton.filter(([from, to]) => widths[from] && widths[to]);
  for (const isRim of [true, false]) {
    for (const [from, to] of limbs) {
      const width = Math.min(widths[from], widths[to]);
      context.strokeStyle = `rgb(${isRim ? DARK_RGB : color})`;
      context.lineWidth = Math.max(1, isRim ? width + 2 * rim(width) : width);
      context.beginPath();
      context.moveTo(...keypoints[from].slice(0, 2));
      context.lineTo(...keypoints[to].slice(0, 2));
      context.stroke();
    }
  }
  keypoints.forEach(([x, y], index) => {
    if (!widths[index]) return;
    const radius = Math.max(MIN_RADIUS, widths[index]);
    const inner = SIDE_COLORS_RGB[sides[index]] ?? color;
    for (const [paint, size] of [[DARK_RGB, radius + rim(radius)], [inner, radius]]) {
      context.fillStyle = `rgb(${paint})`;
      context.beginPath();
      context.arc(x, y, size, 0, 2 * Math.PI);
      context.fill();
    }
  });
}

function rim(width) {
  return Math.max(MIN_RIM, width * RIM);
}

function lineWidth({ width, height }, [left, top, right, bottom]) {
  const ofImage = Math.sqrt(width * height) * WIDTH_PER_IMAGE;
  const ofPerson = Math.sqrt(Math.max(0, (right - left) * (bottom - top))) * WIDTH_PER_PERSON;
  return Math.max(MIN_WIDTH, Math.min(ofImage, ofPerson));
}

/** The share of the line width that a joint has: none below the least score, then more and more. */
function share(score, minScore) {
  if (score < minScore) return 0;
  const sureness = Math.min(1, (score - minScore) / Math.max(SURE_SCORE - minScore, LEAST_RANGE));
  return THINNEST + (1 - THINNEST) * sureness;
}

/** "left", "right" or "middle", by the words of a keypoint's name. */
function sideOf(name) {
  const words = name.replace(/([a-z])(?=[A-Z])/g, "$1_").toLowerCase().split(/[^a-z]+/);
  const sides = { left: "left", l: "left", right: "right", r: "right" };
  return words.map((word) => sides[word]).find(Boolean) ?? "middle";
}
