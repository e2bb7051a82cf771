// Cuts an end-to-end file in three models: the steps before its network, the network, the steps after it.
import { contentsOf, fieldOf, fieldsOf, joined } from "./protobuf.mjs";

// Numbers of fields in onnx.proto.
const GRAPH = 7; // of ModelProto
const [NODE, NAME, INITIALIZER, INPUT, OUTPUT, VALUE_INFO] = [1, 2, 5, 11, 12, 13]; // of GraphProto
const [NODE_INPUT, NODE_OUTPUT, NODE_NAME] = [1, 2, 3];
const [TENSOR_NAME, INFO_NAME] = [8, 1];
const NETWORK = "network/"; // how the names of the network's nodes begin

/** The bytes of the three models. Run one after another, they compute what the whole one does. */
export function splitModel(bytes) {
  const graph = readGraph(contentsOf(bytes, GRAPH)[0]);
  const others = [...fieldsOf(bytes)].filter(({ number }) => number !== GRAPH).map(({ whole }) => whole);
  return partsOf(graph.nodes).map((nodes) => joined([...others, fieldOf(GRAPH, writeGraph(nodes, graph))]));
}

function readGraph(bytes) {
  const text = new TextDecoder();
  const texts = (message, number) => contentsOf(message, number).map((content) => text.decode(content));
  const byName = (messages, number) => new Map(messages.map((message) => [texts(message, number)[0], message]));
  const infos = [INPUT, OUTPUT, VALUE_INFO].flatMap((number) => contentsOf(bytes, number));
  return {
    name: contentsOf(bytes, NAME)[0],
    nodes: contentsOf(bytes, NODE).map((node) => ({
      bytes: node,
      isNetwork: texts(node, NODE_NAME).some((name) => name.startsWith(NETWORK)),
      inputs: texts(node, NODE_INPUT).filter(Boolean), // an optional input that is left out is ""
      outputs: texts(node, NODE_OUTPUT),
    })),
    constants: byName(contentsOf(bytes, INITIALIZER), TENSOR_NAME),
    infos: byName(infos, INFO_NAME),
    outputs: contentsOf(bytes, OUTPUT).flatMap((info) => texts(info, INFO_NAME)),
  };
}

/** The nodes that the network needs, the network's own, and the rest. */
function partsOf(nodes) {
  const network = nodes.filter(({ isNetwork }) => isNetwork);
  const needed = new Set(network.flatMap(({ inputs }) => inputs));
  const before = new Set();
  for (const node of nodes.slice().reverse()) {
    if (node.isNetwork || !node.outputs.some((name) => needed.has(name))) continue;
    before.add(node);
    node.inputs.forEach((name) => needed.add(name));
  }
  return [
    nodes.filter((node) => before.has(node)),
    network,
    nodes.filter((node) => !node.isNetwork && !before.has(node)),
  ];
}

/** A graph of some of the nodes: what they take from others are its inputs, what others take its outputs. */
function writeGraph(nodes, { name, nodes: all, constants, infos, outputs }) {
  const mine = new Set(nodes);
  const made = new Set(nodes.flatMap((node) => node.outputs));
  const used = [...new Set(nodes.flatMap((node) => node.inputs))];
  const usedByOthers = new Set([...outputs, ...all.filter((node) => !mine.has(node)).flatMap((node) => node.inputs)]);
  const given = used.filter((tensor) => !made.has(tensor) && !constants.has(tensor));
  const handedOn = [...made].filter((tensor) => usedByOthers.has(tensor));
  return joined([
    ...nodes.map((node) => fieldOf(NODE, node.bytes)),
    fieldOf(NAME, name),
    ...used.filter((tensor) => constants.has(tensor)).map((tensor) => fieldOf(INITIALIZER, constants.get(tensor))),
    ...given.map((tensor) => fieldOf(INPUT, infos.get(tensor))),
    ...handedOn.map((tensor) => fieldOf(OUTPUT, infos.get(tensor))),
  ]);
}
