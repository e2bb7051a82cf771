// As much of Protocol Buffers as ONNX files need.

const [VARINT, FIXED64, BYTES, FIXED32] = [0, 1, 2, 5]; // wire types

/** Each field of a message: its number, its bytes if it has a length, and all of it, to be copied. */
export function* fieldsOf(bytes) {
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
    const begin = position;
    const tag = varint();
    const sizes = { [FIXED64]: () => 8, [BYTES]: varint, [FIXED32]: () => 4, [VARINT]: () => (varint(), 0) };
    const size = sizes[tag % 8]();
    if (position + size > bytes.length) throw new RangeError("the file ends inside a field");
    const content = bytes.subarray(position, (position += size));
    yield { number: Math.floor(tag / 8), content, whole: bytes.subarray(begin, position) };
  }
}

/** The contents of the fields of a message with one number. */
export function contentsOf(bytes, wanted) {
  return [...fieldsOf(bytes)].filter(({ number }) => number === wanted).map(({ content }) => content);
}

/** A field with a length, of a number below 16. */
export function fieldOf(number, content) {
  const head = [number * 8 + BYTES];
  let rest = content.length;
  for (; rest >= 128; rest = Math.floor(rest / 128)) head.push((rest % 128) + 128);
  return joined([Uint8Array.from([...head, rest]), content]);
}

export function joined(pieces) {
  const bytes = new Uint8Array(pieces.reduce((size, piece) => size + piece.length, 0));
  let position = 0;
  for (const piece of pieces) {
    bytes.set(piece, position);
    position += piece.length;
  }
  return bytes;
}
