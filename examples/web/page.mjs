// What the buttons do, and what is shown. One source at a time: a picture, a video or the webcam.
import { drawPoses } from "./drawing.mjs";
import { PoseWorker } from "./pose_worker.mjs";
import { resultsJson } from "./results.mjs";

const MODELS = ["models/detector.onnx", "models/pose.onnx"];
const DEMO_PHOTO = "photos/astronaut.jpg";
const MOST_FRAMES = 20_000; // kept for "Save poses", ten minutes or more; the oldest go first
const RATE_MEMORY = 0.9; // how much of the shown frame rate comes from earlier frames

const element = (id) => document.getElementById(id);
const context = element("picture").getContext("2d");

const worker = new PoseWorker(showRuntime);
let runtime; // version and threads of onnxruntime-web, the engine in use and a note on it
let source = { frames: [] }; // name, frames, and of a video or webcam its <video>
let shown; // the last analysed frame: its bitmap and its people
const cards = {}; // of the open models, by task

// ---------------------------------------------------------------- models

async function openModel(bytes, name) {
  const { task, card } = await worker.call("open", { bytes, name });
  cards[task] = card;
  element(task).textContent = card.name;
  source.frames = []; // what the model before found belongs to that model
  return card;
}

async function fetchBytes(path) {
  const reply = await fetch(path);
  if (!reply.ok) throw new Error(`${path} is missing on this server; run: pose-onnx web`);
  return new Uint8Array(await reply.arrayBuffer());
}

async function begin() {
  say("Loading the models …");
  for (const path of MODELS) await openModel(await fetchBytes(path), path);
  say("Ready.");
}

async function useEngine(name) {
  say(`Changing to ${name} …`);
  await worker.call("use", name);
  await analyseAgain();
  say(`The models run on ${runtime.engine}.`);
}

function showRuntime(now) {
  runtime = now;
  element("threads").textContent = runtime.threads;
  element("engine").value = runtime.engine;
  element("engine-note").textContent = runtime.note;
}

// ---------------------------------------------------------------- sources

async function openFile(file) {
  if (file.name.toLowerCase().endsWith(".onnx")) {
    const card = await openModel(new Uint8Array(await file.arrayBuffer()), file.name);
    say(`Model: ${card.name}`);
    await analyseAgain();
  } else if (file.type.startsWith("video/")) await openVideo(file);
  else await openPicture(file, file.name);
}

async function openPicture(blob, name) {
  let bitmap;
  try {
    // As the files of Python: upright by its EXIF orientation, its numbers as they are stored.
    bitmap = await createImageBitmap(blob, { colorSpaceConversion: "none" });
  } catch {
    throw new Error(`"${name}" is not a picture that this browser can show; give a JPEG or PNG.`);
  }
  change({ name, frames: [] });
  say(`Analysing ${name} …`);
  const analysed = source;
  await analyse(analysed, bitmap, name);
  if (analysed === source) say(`${name}, ${context.canvas.width} × ${context.canvas.height} pixels`);
}

async function openVideo(file) {
  const video = newVideo();
  video.src = URL.createObjectURL(file);
  try {
    await play(video);
  } catch {
    throw new Error(`"${file.name}" is not a video that this browser can play; give MP4 (H.264) or WebM.`);
  }
  change({ name: file.name, frames: [], video });
  await follow(source);
}

async function openWebcam() {
  if (!navigator.mediaDevices) throw new Error("A webcam needs https or localhost; this page was opened without.");
  const video = newVideo();
  try {
    video.srcObject = await navigator.mediaDevices.getUserMedia({ video: true });
  } catch (error) {
    throw new Error(`The webcam cannot be used (${error.message}); allow it for this page, or choose a video.`);
  }
  await play(video);
  change({ name: "webcam", frames: [], video });
  await follow(source);
}

function newVideo() {
  return Object.assign(document.createElement("video"), { muted: true, playsInline: true });
}

function play(video) {
  return new Promise((resolve, reject) => {
    video.onerror = reject;
    video.play().then(resolve, reject);
  });
}

/** Make another source the current one; the previous camera or file is released. */
function change(next) {
  if (source.video) release(source.video);
  source = next;
  shown = undefined;
  element("rate").textContent = "–";
  element("pause").disabled = !next.video;
  element("pause").textContent = isWebcam(next) ? "Stop" : "Pause";
}

function release(video) {
  video.pause();
  video.srcObject?.getTracks().forEach((track) => track.stop());
  if (video.src) URL.revokeObjectURL(video.src);
}

// ---------------------------------------------------------------- frames

/** Analyse what a video shows until it ends; frames that come in the meantime are skipped. */
async function follow(playing) {
  const { video, name } = playing;
  const canvas = new OffscreenCanvas(video.videoWidth, video.videoHeight);
  const pixels = canvas.getContext("2d");
  say(isWebcam(playing) ? "The webcam is on." : `Playing ${name}`);
  while (playing === source) {
    const time = await nextFrame(video);
    if (time === undefined || playing !== source) break;
    pixels.drawImage(video, 0, 0, canvas.width, canvas.height);
    await analyse(playing, canvas.transferToImageBitmap(), `${name}#t=${time.toFixed(3)}`);
  }
  if (playing !== source) return;
  say(`${name} has ended: ${count(playing.frames.length, "frame")} analysed.`);
  if (isWebcam(playing)) element("pause").disabled = true;
  else element("pause").textContent = "Play again";
}

/** The time of the next frame that a video shows, seconds; undefined when it has ended or was stopped. */
function nextFrame(video) {
  if (video.ended || video.srcObject?.active === false) return undefined;
  return new Promise((resolve) => {
    video.addEventListener("ended", () => resolve(undefined), { once: true });
    if (video.requestVideoFrameCallback) video.requestVideoFrameCallback((_, { mediaTime }) => resolve(mediaTime));
    else requestAnimationFrame(() => resolve(video.currentTime));
  });
}

async function analyse(analysed, bitmap, path) {
  const { bitmap: back, people, milliseconds } = await worker.call("find", bitmap, [bitmap]);
  if (analysed !== source) return;
  const { width, height } = back;
  shown?.bitmap.close();
  shown = { bitmap: back, people };
  analysed.path = path;
  analysed.frames.push({ path, width, height, people, engine: runtime.engine });
  if (analysed.frames.length > MOST_FRAMES) analysed.frames.shift();
  element("time").textContent = `${milliseconds.toFixed(0)} ms`;
  showRate(analysed);
  show();
}

/** The picture that is shown, or the frame of a video that stands still. */
async function analyseAgain() {
  if (!shown || isPlaying()) return;
  source.frames.pop();
  await analyse(source, await createImageBitmap(shown.bitmap), source.path);
}

function showRate(analysed) {
  const now = performance.now();
  const { last, interval } = analysed;
  analysed.last = now;
  if (!analysed.video || last === undefined) return;
  analysed.interval = interval === undefined ? now - last : RATE_MEMORY * interval + (1 - RATE_MEMORY) * (now - last);
  element("rate").textContent = (1000 / analysed.interval).toFixed(1);
}

// ---------------------------------------------------------------- what is seen

const threshold = (name) => Number(element(`${name}-threshold`).value);
const certain = (people) => people.filter(({ score }) => score >= threshold("box"));
const isWebcam = ({ video }) => Boolean(video?.srcObject);
const isPlaying = () => source.video && !source.video.paused;
const count = (number, one, many = `${one}s`) => `${number} ${number === 1 ? one : many}`;

function show() {
  for (const name of ["box", "joint"]) {
    element(`${name}-threshold-value`).textContent = threshold(name).toFixed(2);
  }
  if (!shown) return;
  const { bitmap, people } = shown;
  Object.assign(context.canvas, { width: bitmap.width, height: bitmap.height });
  context.drawImage(bitmap, 0, 0);
  drawPoses(context, certain(people), cards.pose, threshold("joint"));
  const found = certain(people).length;
  element("people").textContent = found;
  context.canvas.setAttribute("aria-label", `${source.name}: ${count(found, "person", "people")}`);
  document.querySelector(".stage").classList.remove("empty");
  element("save").disabled = false;
}

function say(text, isTrouble = false) {
  element("message").textContent = text;
  element("message").classList.toggle("trouble", isTrouble);
}

function save() {
  const settings = {
    detector: cards.detector.name,
    pose: cards.pose.name,
    backend: `onnxruntime-web ${runtime.version}, ${[...new Set(source.frames.map(({ engine }) => engine))].join(" and ")}`,
    preset: "accurate",
    flip: false,
    threshold: threshold("box"),
  };
  const frames = source.frames.map((frame) => ({ ...frame, people: certain(frame.people) }));
  const text = resultsJson(settings, frames, cards.pose.keypoints);
  const href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  Object.assign(document.createElement("a"), { href, download: "poses.json" }).click();
  setTimeout(() => URL.revokeObjectURL(href));
}

async function pause() {
  const { video } = source;
  if (isWebcam(source)) {
    release(video);
    video.dispatchEvent(new Event("ended"));
    return;
  }
  if (isPlaying()) {
    video.pause();
    element("pause").textContent = "Play";
    return;
  }
  const again = video.ended;
  if (again) source.frames = [];
  await video.play();
  element("pause").textContent = "Pause";
  if (again) await follow(source);
}

// ---------------------------------------------------------------- buttons

/** Do something, and say what went wrong if it fails. */
async function attempt(action) {
  try {
    await action();
  } catch (error) {
    say(error.message, true);
  }
}

function choose(input) {
  input.value = ""; // so that the same file can be chosen again
  input.click();
}

const actions = {
  choose: () => choose(element("file")),
  model: () => choose(element("model-file")),
  webcam: openWebcam,
  demo: async () => openPicture(new Blob([await fetchBytes(DEMO_PHOTO)]), DEMO_PHOTO),
  pause,
  save,
};
for (const [id, action] of Object.entries(actions)) element(id).onclick = () => attempt(action);
for (const id of ["file", "model-file"]) element(id).onchange = ({ target }) => attempt(() => openFile(target.files[0]));
element("engine").onchange = ({ target }) => attempt(() => useEngine(target.value));
for (const name of ["box", "joint"]) element(`${name}-threshold`).oninput = show;

const stage = document.querySelector(".stage");
document.ondragover = (event) => {
  event.preventDefault();
  stage.classList.add("dropping");
};
document.ondragleave = ({ relatedTarget }) => relatedTarget ?? stage.classList.remove("dropping");
document.ondrop = (event) => {
  event.preventDefault();
  stage.classList.remove("dropping");
  const [file] = event.dataTransfer.files;
  if (file) attempt(() => openFile(file));
};

stage.classList.add("empty");
attempt(begin);
