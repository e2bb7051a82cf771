// What an end-to-end file says of itself. onnxruntime-web does not hand out a file's metadata, so it is read here.
import { contentsOf } from "./protobuf.mjs";

const METADATA_PROPS = 14; // of ModelProto in onnx.proto: entries with the fields key (1) and value (2)

/** The model card (docs/end-to-end.md) in the bytes of an end-to-end file; throws an Error for any other. */
export function cardOf(bytes, name) {
  let metadata;
  try {
    metadata = metadataOf(bytes);
  } catch {
    throw new Error(`"${name}" is not an ONNX file, or is damaged; get an intact copy of it.`);
  }
  if (metadata.get("pose_onnx.form") !== "end_to_end") {
    throw new Error(`"${name}" is not an end-to-end file; make one with: pose-onnx export … --end-to-end`);
  }
  return JSON.parse(metadata.get("pose_onnx.card"));
}

function metadataOf(bytes) {
  const text = new TextDecoder();
  return new Map(
    contentsOf(bytes, METADATA_PROPS).map((entry) => [1, 2].map((part) => text.decode(contentsOf(entry, part)[0]))),
  );
}
