"""Tracking: ids from frame to frame, the detection schedule, and keypoint smoothing."""
