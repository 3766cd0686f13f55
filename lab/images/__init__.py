"""Lab images: what runs in place of the published images where no image registry answers.

A folder is the build context of one image; `lab.images.catalogue` says which role runs which, `build` makes them.
"""
