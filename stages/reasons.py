"""What every reason code means, for a person, and what they can do about it. Used by the report and the tables."""

from __future__ import annotations

from typing import NamedTuple


class Meaning(NamedTuple):
    """A reason code in words: a short title, what it means, what to do."""

    title: str
    means: str
    remedy: str


FILTERED: dict[str, Meaning] = {  # a judgement about the picture
    "too_dark": Meaning(
        "Too dark",
        "Most of the subject lies in deep shadow; its edge cannot be told from what is behind it.",
        "Photograph again with more light. Brightening the file does not bring the edge back.",
    ),
    "over_exposed": Meaning(
        "Over-exposed",
        "Large parts of the subject are clipped to white. White backgrounds alone do not count.",
        "Photograph again with less exposure, or develop the raw file again.",
    ),
    "blurred": Meaning(
        "Blurred",
        "The subject itself is out of focus or moved. A soft background behind a sharp subject is fine.",
        "Use a sharper frame of the same scene.",
    ),
    "occluded": Meaning(
        "Occluded",
        "Something in front hides a large part of the subject.",
        "Use a picture in which the subject is free.",
    ),
    "low_information": Meaning(
        "Nothing to see",
        "The picture holds next to no detail: a flat colour, a blank page or pure noise.",
        "Check the export that made this file.",
    ),
    "too_small": Meaning(
        "Too small",
        "The picture has too few pixels for a clean edge.",
        "Use the original instead of its thumbnail, or lower the smallest size in the filter's settings.",
    ),
    "wholly_transparent": Meaning(
        "Wholly transparent",
        "The file's own alpha hides every pixel; there is nothing to cut out.",
        "Export the picture again, with its layers shown.",
    ),
    "low_grade": Meaning(
        "Grade too low",
        "Your own classifier of ordered grades puts the picture below the lowest grade that passes.",
        "Look at the grades in the picture's quality, or set filter.min_grade lower.",
    ),
    "no_outline": Meaning(
        "No outline",
        "Nothing of the subject is as opaque as the outline's level asks.",
        "Choose a lower level for the outline.",
    ),
    "no_face": Meaning(
        "No face",
        "A product needs a face, and none was found that looks at the camera.",
        "Take a picture from the front, with the whole face free and in light.",
    ),
    "several_faces": Meaning(
        "Several faces", "An ID photo shows one person, and there are more.", "Crop the picture to one person."
    ),
    "face_too_small": Meaning(
        "Face too small",
        "The picture would have to be enlarged more than the product's max_enlarge allows.",
        "Use a larger picture, or one taken from nearer.",
    ),
    "face_turned": Meaning(
        "Face turned", "The face looks aside, up or down.", "Take a picture that looks straight at the camera."
    ),
    "face_tilted": Meaning(
        "Head tilted",
        "The head leans to a side more than can be turned upright, or than the authority allows.",
        "Take a picture with the head upright.",
    ),
    "eyes_outside": Meaning("Eyes outside", "An eye lies outside of the picture.", "Use a picture of the whole face."),
    "head_cut_off": Meaning(
        "Head cut off",
        "The picture's edge cuts off the hair, the head or the chin.",
        "Use a picture with room around the head.",
    ),
    "no_room": Meaning(
        "No room around the head",
        "The picture ends too near the head for what the authority asks; the message says where and by how much.",
        "Use a picture taken from further away, with more of the shoulders.",
    ),
    "face_too_dark": Meaning(
        "Face too dark", "The face lies in the dark.", "Take a picture with light from the front."
    ),
    "face_too_bright": Meaning(
        "Face too bright", "Large parts of the face are as bright as can be.", "Take a picture with less light."
    ),
    "face_blurred": Meaning("Face blurred", "The eyes are out of focus, or moved.", "Take a sharper picture."),
    "face_occluded": Meaning(
        "Face covered",
        "Dark glasses, a mask or something else covers the eyes or the mouth.",
        "Take a picture with the face free.",
    ),
    "no_part": Meaning(
        "Not in the picture",
        "The part that a product asks for was not found: no hair on the head, or all of it outside of the cut-out.",
        "Ask for another part, or use another picture.",
    ),
    "no_subject": Meaning(
        "No subject",
        "Neither the detector nor the whole-picture mask found anything to cut out.",
        "If there is a subject, force its category in a manifest, or lower the detector's smallest score.",
    ),
}

FAILED: dict[str, Meaning] = {  # something broke
    "not_a_picture": Meaning(
        "Not a picture",
        "The bytes are in no picture format that is read here, whatever the file's name says.",
        "Take the file out of the catalog, or replace it with the real picture.",
    ),
    "empty_file": Meaning("Empty file", "The file has no bytes.", "Copy or download it again."),
    "truncated": Meaning("Truncated", "The file ends before the picture does.", "Copy or download it again."),
    "decode_error": Meaning(
        "Damaged", "The file starts as a picture but cannot be decoded.", "Replace it by a good copy."
    ),
    "unsupported": Meaning(
        "Unsupported variant",
        "The format is known, but not read here, or not this variant of it; the message says what is missing.",
        "Save the picture again as JPEG, PNG or WebP; for HEIC install the extra that the message names.",
    ),
    "too_many_pixels": Meaning(
        "Too many pixels",
        "The header announces more pixels than the limit; it was not decoded.",
        "Make a smaller copy, or raise limits.max_pixels if you trust the source.",
    ),
    "too_large": Meaning(
        "Side too long",
        "One side is longer than the limit; it was not decoded.",
        "Make a smaller copy, or raise limits.max_side if you trust the source.",
    ),
    "too_many_bytes": Meaning(
        "File too large",
        "The file has more bytes than the limit.",
        "Make a smaller copy, or raise limits.max_bytes.",
    ),
    "not_found": Meaning(
        "Not found",
        "The manifest or a link names a file that is not there.",
        "Correct the manifest, or restore the file; then run again with --retry failed.",
    ),
    "manifest_row": Meaning(
        "Row of the manifest",
        "The manifest's row does not say which picture is meant.",
        "Correct the row that the message names, and run again.",
    ),
    "not_a_file": Meaning("Not a file", "The name belongs to a folder or a device.", "Correct the manifest."),
    "permission": Meaning(
        "Not readable",
        "The file is there, but may not be read with these rights.",
        "Grant read access; then run again with --retry failed.",
    ),
    "fetch": Meaning(
        "Could not be fetched",
        "The storage gave an error, also after several tries.",
        "Run again with --retry failed once the storage is well.",
    ),
    "invalid_url": Meaning(
        "Not a URL", "What was given is no http or https URL.", "Correct the URL; it starts with https:// or http://."
    ),
    "refused_url": Meaning(
        "URL not allowed",
        "The URL leads to an address or port that may not be reached from the service.",
        "Send the picture itself, or let the service's settings allow the address.",
    ),
    "unknown_category": Meaning(
        "Unknown category",
        "The manifest forces a category that the classifier does not have.",
        "Correct the manifest's column category; the message names the categories there are.",
    ),
    "too_large_for_format": Meaning(
        "Too large for its format",
        "The product has more pixels than its file format can hold.",
        "Choose another format for this product, such as png.",
    ),
    "encode_error": Meaning(
        "Could not be encoded", "The product's file could not be made.", "Choose another format for this product."
    ),
    "out_of_memory": Meaning(
        "Out of memory",
        "This picture alone needs more memory than there is.",
        "Lower limits.max_pixels, or give the pool more memory.",
    ),
    "crashed_worker": Meaning(
        "Crashed its process",
        "The process died each time it worked on this picture alone, mostly for want of memory.",
        "Lower limits.max_pixels, or give the pool more memory; then run again with --retry failed.",
    ),
    "correction": Meaning(
        "The correction is not for this picture",
        "A place or a box lies outside of the picture, or strokes or a matte have another size.",
        "Give places in pixels of the upright picture, and PNGs as large as it.",
    ),
    "background": Meaning(
        "The background cannot be read",
        "The picture that was given as the new background is damaged or of an unknown format.",
        "Give another background.",
    ),
    "template": Meaning(
        "The poster cannot be filled",
        "A column that the template takes has no value, or the template, a font or a picture of it is not here.",
        "Fill in the column, or bring the files to every node; then run again with --retry failed.",
    ),
    "write": Meaning(
        "Could not be written",
        "The cut-out was made, but the output refused it.",
        "Check space and rights of the output; then run again with --retry failed.",
    ),
    "occupied": Meaning(
        "Its place is taken",
        "Where a product should go lies a file that no run made, or that was changed since; it stays as it is.",
        "Move it away or choose another output; then run again with --retry failed.",
    ),
    "internal_error": Meaning(
        "Internal error",
        "A stage raised an error that it does not expect. This is a bug in Hairline or in a library.",
        "Please report it with the message below and, if you can, the picture.",
    ),
}

MEANINGS = FILTERED | FAILED


def meaning(reason: str) -> Meaning:
    """The meaning of a reason code; a code that is not listed is shown as it is."""
    known = MEANINGS.get(reason)
    return known or Meaning(reason.replace("_", " ").capitalize() or "No reason given", "", "")
