"""Find people and their joints for others, by the KServe v2 protocol (which Triton speaks too) over HTTP.

    pip install pose-onnx kserve
    python serve.py --http_port 8080

Input `picture`: BYTES [1], a JPEG, PNG, ... file in base64. Outputs as of `pose-onnx export --layout triton`:
`boxes` (M, 4), `box_scores` (M), `keypoints` (M, K, 2), `scores` (M, K), FP32, in pixels of the picture.
"""

import asyncio
import base64

from kserve import InferOutput, InferRequest, InferResponse, Model, ModelServer
from kserve.errors import InvalidInput
from kserve.model_server import app
from starlette.responses import JSONResponse

from pose_onnx import PoseEstimator

MOST_BYTES = 8 << 20  # of a request; what a picture may unpack to is limited by pose_onnx
MOST_REQUESTS = 32  # at once, so that at most 256 MiB of them are in memory


class Limits:
    """Refuse requests that are too large, or come while too many are there, before they are read."""

    def __init__(self, app):
        self.app, self.now = app, 0

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http" or scope["method"] == "GET":
            return await self.app(scope, receive, send)
        length = dict(scope["headers"]).get(b"content-length")  # the HTTP parser holds the body to it
        if length is None:
            refusal = 411, "a request must say its length; send Content-Length"
        elif int(length) > MOST_BYTES:
            refusal = 413, f"a request of {int(length):,} bytes was sent; send at most {MOST_BYTES:,}"
        elif self.now >= MOST_REQUESTS:
            refusal = 503, f"{MOST_REQUESTS} requests are being answered; try again later"
        else:
            self.now += 1
            try:
                return await self.app(scope, receive, send)
            finally:
                self.now -= 1
        return await JSONResponse({"error": refusal[1]}, refusal[0])(scope, receive, send)


class Poses(Model):
    """The built-in models; give `PoseEstimator` others."""

    def __init__(self):
        super().__init__("poses")
        self.estimator = PoseEstimator()
        self.ready = True

    def get_input_types(self):
        return [{"name": "picture", "datatype": "BYTES", "shape": [1]}]

    def get_output_types(self):
        joints = len(self.estimator.names)
        shapes = {"boxes": [-1, 4], "box_scores": [-1], "keypoints": [-1, joints, 2], "scores": [-1, joints]}
        return [{"name": name, "datatype": "FP32", "shape": shape} for name, shape in shapes.items()]

    async def predict(self, payload: InferRequest, headers=None, response_headers=None):
        pictures = [tensor.data for tensor in payload.inputs if tensor.name == "picture"]
        if len(pictures) != 1 or len(pictures[0]) != 1 or not isinstance(pictures[0][0], str):
            raise InvalidInput("give one input 'picture', BYTES [1]: a picture file in base64")
        try:
            poses = await asyncio.to_thread(self.estimator, base64.b64decode(pictures[0][0], validate=True))
        except ValueError as error:  # base64's, and InputError of pose_onnx
            raise InvalidInput(str(error)) from error
        arrays = {spec["name"]: getattr(poses, spec["name"]) for spec in self.get_output_types()}
        outputs = [InferOutput(name, list(a.shape), "FP32", a.ravel().tolist()) for name, a in arrays.items()]
        return InferResponse(payload.id, self.name, outputs)


if __name__ == "__main__":
    app.add_middleware(Limits)
    ModelServer(enable_grpc=False).start([Poses()])
