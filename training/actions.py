"""Train ST-GCN on actions of your own: from JSON Lines and a table to a checkpoint and its card.

    python -m training.actions train.csv --test test.csv --out my_actions.npz
    pose-onnx export my_actions.npz --card my_actions.json

The table has the columns `file` (from `pose-onnx video --jsonl`, next to the table), `id` (the person),
`start`, `stop` (seconds) and `action`. Windows are the same as in video. A window that ends within a row is
an example of its action; all others are left out. No person should be in both training and test.
"""

from __future__ import annotations

import argparse
import csv
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Final, cast

import numpy as np
import torch
from torch import Tensor, nn

from pose_onnx import ModelCard, load_card
from pose_onnx.action_windows import EVERY, SlidingWindows
from pose_onnx.cards.window import WindowSpec
from pose_onnx.core.arrays import F32
from pose_onnx.core.windows import Window, window_tensor
from pose_onnx.exporters.networks._links import adjacency
from pose_onnx.formats import read_frames
from training.weights import save_npz

WIDTHS: Final = (2, 64, 64, 64, 64, 128, 128, 128, 256, 256, 256)
MOMENTS: Final = 3  # windows per half second, so that actions begin anywhere in a window


class Block(nn.Module):
    """A step in space and a step in time; all blocks but the first add their input."""

    def __init__(self, c_in: int, c_out: int) -> None:
        super().__init__()
        self.is_first = c_in == WIDTHS[0]
        stride = 1 if self.is_first or c_in == c_out else 2
        self.gcn = nn.ModuleDict({"conv": nn.Conv2d(c_in, 3 * c_out, 1)})
        time = nn.Conv2d(c_out, c_out, (9, 1), (stride, 1), (4, 0))
        self.tcn = nn.Sequential(nn.BatchNorm2d(c_out), nn.ReLU(), time, nn.BatchNorm2d(c_out))
        if stride > 1:
            self.residual = nn.Sequential(nn.Conv2d(c_in, c_out, 1, (stride, 1)), nn.BatchNorm2d(c_out))

    def forward(self, x: Tensor, links: Tensor) -> Tensor:
        """(N, c_in, T, K), (3, K, K) -> (N, c_out, T / stride, K)."""
        parts = self.gcn["conv"](x).unflatten(1, (3, -1))
        y = self.tcn(torch.einsum("npctv,pvw->nctw", parts, links))
        return torch.relu(y if self.is_first else y + (self.residual(x) if hasattr(self, "residual") else x))


class StGcn(nn.Module):
    """ST-GCN of one person (arXiv 1801.07455), with PaddleVideo's names of parameters."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.backbone, links = nn.Module(), torch.from_numpy(adjacency())
        self.backbone.register_buffer("A", links)
        self.backbone.data_bn = nn.BatchNorm1d(WIDTHS[0] * links.shape[-1])
        self.backbone.st_gcn_networks = nn.ModuleList(map(Block, WIDTHS[:-1], WIDTHS[1:]))
        self.backbone.edge_importance = nn.ParameterList(torch.ones_like(links) for _ in WIDTHS[1:])
        self.head = nn.ModuleDict({"fcn": nn.Conv2d(WIDTHS[-1], classes, 1)})

    def forward(self, window: Tensor) -> Tensor:
        """(N, 2, T, K) -> logits (N, C)."""
        x = self.backbone.data_bn(window.permute(0, 3, 1, 2).flatten(1, 2))
        x = x.unflatten(1, (-1, WIDTHS[0])).permute(0, 2, 3, 1)
        blocks, importances = self.backbone.st_gcn_networks, self.backbone.edge_importance
        for block, importance in zip(blocks, importances, strict=True):
            x = block(x, self.backbone.A * importance)
        return cast("Tensor", self.head["fcn"](x.mean((2, 3), keepdim=True)).flatten(1))


def mirrored(window: Window, card: ModelCard) -> Window:
    """Return the window of the mirrored person."""
    joints = np.arange(len(card.keypoints))
    for a, b in card.flip_pairs:
        joints[[a, b]] = b, a
    keypoints = window.keypoints[:, joints] * np.array([-1, 1], np.float32)
    return Window(keypoints, window.boxes[:, [2, 1, 0, 3]] * np.array([-1, 1, -1, 1], np.float32))


def examples(table: Path, card: ModelCard, moments: int = 1) -> tuple[F32, list[str]]:
    """Read a table: windows (N, 2, T, K) and their actions; with several moments, mirrored windows too."""
    with table.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    spec, tensors, actions = cast("WindowSpec", card.input), list[F32](), list[str]()
    for name in sorted({row["file"] for row in rows}):
        frames, there = list(read_frames(table.parent / name)), [row for row in rows if row["file"] == name]
        for windows, moment in ((SlidingWindows(spec), EVERY * i / moments) for i in range(moments)):
            for each in frames:
                for (person, window), row in product(windows.add(each.poses, each.time + moment), there):
                    if int(row["id"]) == person and float(row["start"]) <= each.time < float(row["stop"]):
                        both = (window, mirrored(window, card))[:moments]
                        tensors += [window_tensor(one, spec.frames, spec.box)[..., 0] for one in both]
                        actions += [row["action"]] * len(both)
    if not tensors:
        raise SystemExit(f"{table} names nobody who is seen for long enough; see `start`, `stop` and `id`")
    return np.stack(tensors), actions


def train(network: StGcn, windows: Tensor, labels: Tensor, args: argparse.Namespace) -> None:
    """Train with random examples; the learning rate rises, then falls to zero."""
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, args.steps)
    for step in range(1, args.steps + 1):
        rows = torch.randint(len(windows), (16,))
        with torch.autocast("cpu", torch.bfloat16, enabled=args.bfloat16):
            loss = nn.functional.cross_entropy(network(windows[rows]), labels[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        print(f"step {step} of {args.steps}, loss {loss.item():.3f}", flush=True)


def main() -> None:
    """Train, test, and write the checkpoint and its card."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("table", type=Path)
    parser.add_argument("--test", type=Path, required=True, help="a table of other persons")
    parser.add_argument("--out", type=Path, required=True, help="NAME.npz; its card is NAME.json")
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--bfloat16", action="store_true", help="faster on processors that have it")
    args = parser.parse_args()
    torch.manual_seed(0)
    base = load_card("stgcn_pphuman")
    windows, actions = examples(args.table, base, MOMENTS)
    classes = tuple(sorted(set(actions)))
    print(f"{len(windows)} windows of {', '.join(classes)}", flush=True)
    network, labels = StGcn(len(classes)), torch.tensor([classes.index(action) for action in actions])
    train(network, torch.from_numpy(windows), labels, args)
    save_npz(network.eval().requires_grad_(requires_grad=False), args.out)
    unseen, truth = examples(args.test, base)
    found = [classes[i] for part in torch.from_numpy(unseen).split(256) for i in network(part).argmax(1)]
    hits = np.array(found) == np.array(truth)
    each = [f"{action}: {hits[np.array(truth) == action].mean():.1%}" for action in classes]
    result = f"{hits.mean():.1%} of {len(hits)} windows of {args.test.name}"
    own = base.without_claims(args.out.stem, f"ST-GCN, trained on {args.table.name}")
    args.out.with_suffix(".json").write_text(replace(own, classes=classes, published=result).to_json())
    print(*each, result, sep="\n")


if __name__ == "__main__":
    main()
