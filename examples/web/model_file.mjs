// What an end-to-end file says of itself. onnxruntime-web does not hand out a file's metadata, so it is read here.

const METADATA_PROPS = 14; // of ModelProto in onnx.proto: entries with the fields key (1) and value (2)
const [VARINT, FIXED64, BYTES, FIXED32] = [0, 1, 2, 5]; // Protocol Buffers' wire types

/** The model card (docs/end-to-end.md) in the bytes of an end-to-end file; throws an Error for any other. */
export function cardOf(bytes, name) {
  let metadata;
  try {
    metadata = metadataOf(bytes);
  } catch {
    throw new Error(`"${name}" is no ONNX file, or is damaged; get an intact copy of it.`);
  }
  if (metadata.get("pose_onnx.form") !== "end_to_end") {
    throw new Error(`"${name}" is not an end-to-end file; make one with: pose-onnx export … --end-to-end`);
  }
  return JSON.parse(metadata.get("pose_onnx.card"));
}

function metadataOf(bytes) {
  const text = new TextDecoder();
  const entries = [...fieldsOf(bytes)].filter(([number]) => number === METADATA_PROPS);
  return new Map(
    entries.map(([, entry]) => {
      const [key, value] = [1, 2].map((wanted) => [...fieldsOf(entry)].find(([number]) => number === wanted)[1]);
      return [text.decode(key), text.decode(value)];
    }),
  );
}

/** Each field of a message: its number, and its bytes if it has a length. */
function* fieldsOf(bytes) {
  let position = 0;
  const varint = () => {
    for (let value = 0, unit = 1; position < bytes.length; unit *= 128) {
      const byte = bytes[position++];
      value += (byte & 127) * unit;
      if (byte < 128) return value;
    }
    throw new RangeError("the file ends inside a number");
  };
  while (position < bytes.length) {
    const tag = varint();
    const sizes = { [FIXED64]: () => 8, [BYTES]: varint, [FIXED32]: () => 4, [VARINT]: () => (varint(), 0) };
    const size = sizes[tag % 8]();
    if (position + size > bytes.length) throw new RangeError("the file ends inside a field");
    yield [Math.floor(tag / 8), bytes.subarray(position, (position += size))];
  }
}
