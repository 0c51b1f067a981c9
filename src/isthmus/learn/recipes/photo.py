"""The recipes without a .toml file: their names and what they are, without loading their networks."""

PHOTO = "photo"
PHOTO_SUMMARY = "The photo codec: hours on many photographs (--data FOLDER --minutes M)"
OWN = "own"
OWN_SUMMARY = "A codec for your own pictures, a small difference to photo, in an hour (--data FOLDER [--minutes M])"
DENOISE = "denoise"
DENOISE_SUMMARY = "The denoiser for photographs: hours on many of them (--data FOLDER --minutes M)"
