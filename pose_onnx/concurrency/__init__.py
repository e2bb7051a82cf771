"""Work on several threads at once: the parts of one picture, and a stream of pictures."""
