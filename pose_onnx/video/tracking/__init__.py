"""Who is who from frame to frame, when to look for people again, and how to steady them."""
