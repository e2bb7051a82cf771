"""The loop learns, resumes to the same weights, and its parts behave."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from pose_onnx import load_card
from training import augment, train
from training.chain import channel_weights, mixed
from training.detector_task import DetectorTask, overlap_loss
from training.distill import Options, Trainer
from training.draw import CROPS, PHOTOS, Draw, store
from training.kernels import squared_error
from training.picodet import PicoDet
from training.pose_task import PoseTask
from training.schedule import Schedule
from training.tinypose import TinyPose
from training.weights import save_npz

SCHEDULE = Schedule(peak_rate=3e-3, local_until=0.3, own_from=0.7)


def write(folder: Path, kind: str, pictures: NDArray[np.uint8]) -> None:
    """Store pictures: the last is of a second folder."""
    with store(folder, kind) as append:
        for index, picture in enumerate(pictures):
            append(picture, int(index == len(pictures) - 1))


@pytest.fixture
def pose_task(tmp_path: Path) -> PoseTask:
    """Noise as crops and a random teacher: enough to run every line."""
    rng = np.random.default_rng(0)
    write(tmp_path, CROPS, rng.integers(0, 256, (4, 256, 192, 3), np.uint8))
    torch.manual_seed(0)
    save_npz(TinyPose(), tmp_path / "teacher.npz")
    return PoseTask(load_card("tinypose_128x96"), tmp_path, tmp_path / "teacher.npz", None)


def options(out: Path, samples: int) -> Options:
    return Options(out=out, batch=2, minutes=0, samples=samples, evaluate_minutes=1e9, seed=3)


def test_pose_run_writes_log_and_checkpoint(pose_task: PoseTask, tmp_path: Path) -> None:
    trainer = Trainer(pose_task, SCHEDULE, options(tmp_path / "run", 6))
    trainer.run()
    rows = [json.loads(line) for line in (tmp_path / "run/log.jsonl").read_text().splitlines()]
    assert rows[-1]["samples"] == 6
    assert rows[-1]["AP"] == 0
    names = set(np.load(tmp_path / "teacher.npz").files)
    assert set(np.load(tmp_path / "run/student.npz").files) == names


def test_resumed_run_equals_uninterrupted(pose_task: PoseTask, tmp_path: Path) -> None:
    first = Trainer(pose_task, SCHEDULE, options(tmp_path / "a", 1_000))
    for _ in range(2):
        first.step()
        first.advance()
    first.save()
    wanted = first.step()
    second = Trainer(pose_task, SCHEDULE, options(tmp_path / "b", 1_000))
    second.resume(tmp_path / "a/checkpoint.pt")
    got = second.step()
    assert got == pytest.approx(wanted, rel=1e-5)


PROCESS = """
import sys
from pathlib import Path
import torch
from torch import distributed
from pose_onnx import load_card
from training import processes
from training.distill import Options, Trainer
from training.pose_task import PoseTask
from training.schedule import Schedule

def weights_of(network):
    return torch.cat([p.detach().flatten() for p in network.parameters()])


def work(folder):
    torch.manual_seed(0)
    task = PoseTask(load_card("tinypose_128x96"), folder, folder / "teacher.npz", None)
    task.student.get_parameter("backbone.stem.expand_conv.norm.bias").data[3] = -9  # dead, so it is restarted
    out = folder / f"process{processes.rank()}"
    options = Options(out=out, batch=2, minutes=0, samples=8, evaluate_minutes=1e9, seed=3)
    trainer = Trainer(task, Schedule(peak_rate=3e-3, local_until=0.3, own_from=0.7), options)
    first = weights_of(trainer.student)
    trainer.run()
    weights = weights_of(trainer.student)
    others, views = [torch.empty_like(weights), torch.empty_like(weights)], [None, None]
    distributed.all_gather(others, weights)
    distributed.all_gather_object(views, float(trainer.rng.random()))
    assert torch.equal(*others) and not torch.equal(first, weights)
    assert views[0] != views[1]
    gradients = [torch.nn.Parameter(torch.zeros(2, 3)), torch.nn.Parameter(torch.zeros(1))]
    gradients[0].grad = torch.full((2, 3), 2.0 + processes.rank())
    processes.average_gradients(gradients)
    assert torch.equal(gradients[0].grad, torch.full((2, 3), 2.5)) and gradients[1].grad is None


if __name__ == "__main__":
    processes.run(work, Path(sys.argv[1]), 2)
"""


@pytest.mark.usefixtures("pose_task")
def test_two_processes_train_one_network(tmp_path: Path) -> None:
    script = tmp_path / "process.py"
    script.write_text(PROCESS)
    done = subprocess.run(
        [sys.executable, str(script), str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in (tmp_path / "process0/log.jsonl").read_text().splitlines()]
    assert rows[-1]["samples"] == 8
    assert rows[-1]["step"] == 2
    assert not list((tmp_path / "process1").iterdir())


def test_documented_commands_are_understood() -> None:
    text = Path(train.__file__).with_name("README.md").read_text(encoding="utf-8").replace("\\\n", "")
    commands = re.findall(r"-m training\.train (.*)", text)
    assert len(commands) >= 4
    for command in commands:
        task, *rest = shlex.split(command.replace("...", ""), comments=True)
        size = train.TASKS[task][1]
        needed = ["--size", min(size), "--teacher", "T", "--data", "D", "--out", "O"]
        train.parser().parse_args([task, *needed, *rest])


def test_detector_steps(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    write(tmp_path, PHOTOS, rng.integers(0, 256, (3, 64, 64, 3), np.uint8))
    save_npz(PicoDet(), tmp_path / "teacher.npz")
    task = DetectorTask(load_card("picodet_s_192_lcnet_pedestrian"), tmp_path, tmp_path / "teacher.npz", None)
    trainer = Trainer(task, SCHEDULE, options(tmp_path / "run", 4))
    trainer.run()
    assert trainer.progress.samples == 4


def test_natural_views_are_of_one_photo_and_show_most_of_it() -> None:
    columns = np.linspace(0, 255, 64).astype(np.uint8)  # a grey level says how far to the right a pixel is
    photo = np.ascontiguousarray(np.broadcast_to(columns[:, None], (64, 64, 3)))
    drawn = 0

    def draw() -> NDArray[np.uint8]:
        nonlocal drawn
        drawn += 1
        return photo

    widths = {}
    for natural, mosaics in ((False, augment.MOSAIC), (True, augment.NATURAL_MOSAIC)):
        drawn, rng = 0, np.random.default_rng(0)
        views = [augment.scene_view(draw, 32, rng, natural=natural) for _ in range(400)]
        widths[natural] = min(np.ptp(view) / 255 for view in views)
        expected = 1 + 3 * mosaics  # a mosaic has four photos
        assert drawn / 400 == pytest.approx(expected, abs=0.25)  # 3.5 standard deviations
    assert widths[True] > 0.6
    assert widths[False] < 0.5


def test_pictures_are_drawn_as_they_were_written_and_each_folder_equally_often(tmp_path: Path) -> None:
    colours_bgr = np.array([[250, 40, 10], [20, 200, 90], [60, 30, 220], [128, 5, 250]], np.uint8)
    write(tmp_path, CROPS, np.tile(colours_bgr[:, None, None], (1, 16, 24, 1)))
    draw, rng = Draw(tmp_path, CROPS), np.random.default_rng(0)
    counts = np.zeros(len(colours_bgr))
    for _ in range(400):
        picture = draw(rng)
        errors = np.abs(colours_bgr[:, ::-1].astype(int) - picture[0, 0]).max(1)
        assert picture.shape == (16, 24, 3)
        assert errors.min() <= 3  # of a plain colour, JPEG loses a few grey levels
        counts[errors.argmin()] += 1
    assert counts[3] / 400 == pytest.approx(0.5, abs=0.1)  # four standard deviations
    assert counts[:3].min() > 0


def test_schedule() -> None:
    assert SCHEDULE.rate(1.0) == pytest.approx(0, abs=1e-9)
    assert [SCHEDULE.own(p) for p in (0.0, 0.3, 0.5, 0.7, 1.0)] == pytest.approx([0, 0, 0.5, 1, 1])
    assert SCHEDULE.hints(0.5) == 1
    assert SCHEDULE.hints(1.0) == pytest.approx(SCHEDULE.last_hint_weight)


def test_mixing_is_per_image() -> None:
    student, teacher = [torch.ones(64, 2, 3, 3)], [torch.zeros(64, 2, 3, 3)]
    (out,) = mixed(student, teacher, 0.5, [])
    per_image = out.flatten(1)
    assert torch.equal(per_image.amin(1), per_image.amax(1))
    assert 0 < per_image.mean() < 1
    assert mixed(student, teacher, 0.0, [])[0] is teacher[0]
    assert mixed(student, teacher, 0.5, student)[0] is student[0]
    assert mixed(student, teacher, 1.0, []) is student


class TwoUnits:
    """Three channels, each larger than the one before; the output takes the first and the last."""

    def unit_count(self) -> int:
        return 2

    def run_unit(self, index: int, features: list[torch.Tensor]) -> list[torch.Tensor]:
        (x,) = features
        if index == 0:
            return [x * torch.tensor([0.1, 10.0, 100.0]).view(1, 3, 1, 1)]
        return [20 * x[:, :1] + 0.01 * x[:, 2:]]


def test_channels_count_by_what_they_do_to_the_output() -> None:
    torch.manual_seed(0)
    teacher, image = TwoUnits(), torch.randn(4, 3, 8, 8)
    (first,), _ = channel_weights(
        teacher, [image], lambda output: [torch.ones_like(m) for m in output], seed=0
    )
    assert first[1] == 0  # it varies, and does nothing
    assert (first[0] / first[2]).item() == pytest.approx((20 / 0.01) ** 2, rel=1e-4)
    (maps,) = teacher.run_unit(0, [image])
    constant = maps.mean((0, 2, 3), keepdim=True)
    assert squared_error(maps, constant, first).item() == pytest.approx(1, abs=0.01)


def test_overlap_loss() -> None:
    box = torch.tensor([[0.0, 0, 10, 10]])
    apart = torch.tensor([[20.0, 0, 30, 10]])
    assert overlap_loss(box, box).item() == pytest.approx(0)
    assert overlap_loss(box, apart).item() == pytest.approx(1 + 1 / 3)


def test_a_flipped_teacher_says_where_the_joint_is(pose_task: PoseTask) -> None:
    width, place = 24, 9.4  # the mirror image of x in the input is (4 * width - 1) - x
    x = torch.arange(width, dtype=torch.float32)
    mirrored = torch.exp(-((x - (width - 0.25 - place)) ** 2) / 2).expand(2, 17, 32, width)
    pose_task.flip = True
    image = torch.zeros(2, 3, 128, 96)
    (target,) = pose_task.target(lambda _image: mirrored, image, [torch.zeros_like(mirrored)])
    row = target[0, 0, 0]
    assert (row * x).sum() / row.sum() == pytest.approx(place, abs=0.01)
    assert row.max() == pytest.approx(0.5, abs=0.1)  # averaged with a teacher that saw nothing


def test_fine_cuts_are_the_same_network() -> None:
    torch.manual_seed(0)
    coarse, fine = TinyPose().eval(), TinyPose(fine=True).eval()
    fine.load_state_dict(coarse.state_dict())
    image = torch.randn(1, 3, 128, 96)
    assert fine.unit_count() > coarse.unit_count()
    assert torch.equal(coarse(image), fine(image))
