"""The recipe whose settings are its own: the photo codec's name and what it is, without loading its networks."""

PHOTO = "photo"
PHOTO_SUMMARY = "The photo codec: hours on many photographs (--data FOLDER --minutes M); settings in docs/photo.md"
