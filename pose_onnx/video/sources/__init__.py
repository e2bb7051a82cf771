"""Where frames come from: files, folders, cameras, streams, and whoever gives them."""
