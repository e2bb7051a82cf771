"""What MediaPipe's bundled full model finds on photos, as JSON: run by `benchmarks.one_person`.

It runs in an environment that has MediaPipe but not this project, so it imports nothing of it.
"""

import json
import sys
import time

import cv2
import mediapipe


def main() -> None:
    """Print the landmarks of each photo, as x and y in pixels and visibility, and the processor time."""
    people = []
    with mediapipe.solutions.pose.Pose(static_image_mode=True, model_complexity=1) as pose:
        pose.process(cv2.cvtColor(cv2.imread(sys.argv[1]), cv2.COLOR_BGR2RGB))  # engines settle
        begun = time.process_time()
        for path in sys.argv[1:]:
            image = cv2.cvtColor(cv2.imread(path), cv2.COLOR_BGR2RGB)
            height, width = image.shape[:2]
            found = pose.process(image).pose_landmarks
            landmarks = found.landmark if found else []
            people.append([(each.x * width, each.y * height, each.visibility) for each in landmarks])
    print(json.dumps({"people": people, "seconds": time.process_time() - begun}))


if __name__ == "__main__":
    main()
