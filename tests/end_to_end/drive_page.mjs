// Use the page of examples/web in Chromium as a person would, and print what it did as JSON:
//   node drive_page.mjs CHROMIUM URL REQUEST.json
// REQUEST.json holds the paths of `pictures`, a `video`, an end-to-end `model`, and `broken` files, each with
// the id of the control that takes it.
import { readFile } from "node:fs/promises";

import { chromium } from "playwright-core";

const [executablePath, url, request] = process.argv.slice(2);
const files = JSON.parse(await readFile(request, "utf8"));
const args = [
  "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync",
  "--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader", // WebGPU, imitated by the processor
  "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",
];
const browser = await chromium.launch({ executablePath, args });
const context = await browser.newContext({ viewport: { width: 390, height: 844 } });
const page = await context.newPage();
const hosts = new Set();
const problems = [];
page.on("request", (sent) => hosts.add(new URL(sent.url()).host));
page.on("console", (line) => line.type() === "error" && problems.push(line.text()));
page.on("pageerror", (error) => problems.push(String(error)));

const message = () => page.locator("#message").textContent();
const says = (pattern) => page.waitForFunction(
  (source) => new RegExp(source).test(document.getElementById("message").textContent), pattern, { timeout: 300_000 },
);
const engine = async () => ({
  name: await page.locator("#engine").inputValue(),
  note: await page.locator("#engine-note").textContent(),
  message: await message(),
});

async function saved() {
  const [download] = await Promise.all([page.waitForEvent("download"), page.click("#save")]);
  return JSON.parse(await readFile(await download.path(), "utf8"));
}

async function slide(id, value) {
  await page.locator(id).evaluate((input, to) => {
    input.value = to;
    input.dispatchEvent(new Event("input"));
  }, value);
}

const report = { broken: [], pictures: [] };
await page.goto(`${url}?threads=2`);
await says("^Ready");
report.threads = await page.locator("#threads").textContent();
report.isolated = await page.evaluate(() => self.crossOriginIsolated);
report.overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);

while ((await page.evaluate(() => document.activeElement.id)) !== "demo") await page.keyboard.press("Tab");
await page.keyboard.press("Enter");
await says("pixels$");
report.demo = await saved();
await slide("#box-threshold", 1);
report.nobody = { shown: await page.locator("#people").textContent(), ...(await saved()) };
await slide("#box-threshold", 0.4);

/** WebGPU, with the adapter that there is; then its device is lost; then there is no adapter. */
async function useWebGpu() {
  const worker = page.workers().find((one) => one.url().includes("worker.mjs"));
  await worker.evaluate(() => {
    const { requestDevice } = GPUAdapter.prototype;
    GPUAdapter.prototype.requestDevice = async function (...options) {
      return (self.device = await requestDevice.apply(this, options));
    };
  });
  await page.selectOption("#engine", "WebGPU");
  await says("^(?!Changing)");
  const seen = { chosen: { ...(await engine()), ...(await saved()) } };
  await worker.evaluate(() => self.device?.destroy());
  await page.click("#demo");
  await says("pixels$");
  seen.broken = { ...(await engine()), ...(await saved()) };
  await worker.evaluate(() => { GPU.prototype.requestAdapter = async () => null; });
  await page.selectOption("#engine", "WebGPU");
  await says("^(?!Changing)");
  return { ...seen, none: await engine() };
}

report.begin = await engine();
report.webgpu = await useWebGpu();
report.best = await page.evaluate(async () => {
  const { bestEngine } = await import("./engines.mjs");
  const adapters = [{ info: { isFallbackAdapter: false } }, { info: { isFallbackAdapter: true } }, null];
  const names = [];
  for (const adapter of adapters) {
    GPU.prototype.requestAdapter = async () => adapter;
    names.push((await bestEngine()).engine);
  }
  return names;
});

/** Drop a file on the page. */
async function drop(path) {
  const content = await readFile(path, "base64");
  await page.evaluate(async ([base64, name]) => {
    const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
    const dataTransfer = new DataTransfer();
    dataTransfer.items.add(new File([bytes], name, { type: "image/png" }));
    document.dispatchEvent(new DragEvent("drop", { dataTransfer }));
  }, [content, path.split("/").pop()]);
}

for (const picture of files.pictures) {
  await drop(picture);
  await says(`^${picture.split("/").pop()}.*pixels$`);
  report.pictures.push(await saved());
}
await page.setInputFiles("#file", files.video);
await says("has ended");
report.video = { message: await message(), ...(await saved()) };

for (const { control, file } of files.broken) {
  await page.setInputFiles(control, file);
  await says(`^"${file.split("/").pop()}"`);
  report.broken.push({ file, message: await message() });
}
await page.setInputFiles("#model-file", files.model);
await says("^Model: ");
await page.click("#webcam");
await says("webcam is on");
await page.waitForFunction(() => Number(document.getElementById("rate").textContent) > 0, null, { timeout: 120_000 });
await page.click("#pause");
await says("webcam has ended");
report.webcam = await saved();
await page.click("#demo");
await says("pixels$");
report.afterwards = await saved();
await browser.close();
console.log(JSON.stringify({ ...report, hosts: [...hosts], problems }));
