"""Set-up of a machine: engine, base image, the platforms' images and data; and taking away what demo and tests left."""
