// What a reason code means, for somebody who has just dropped a picture: a title, what is wrong, what to do.

const WORDS = {
  too_dark: ["Too dark", "Most of the subject lies in deep shadow, so its edge cannot be told from what is behind it.", "Take it again with more light. Brightening the file does not bring the edge back."],
  over_exposed: ["Over-exposed", "Large parts of the subject are burnt out to white.", "Take it again with less exposure, or develop the raw file anew."],
  blurred: ["Blurred", "The subject itself is out of focus or moved. A soft background would be fine.", "Use a sharper picture of the same scene."],
  occluded: ["Covered", "Something in front hides a large part of the subject.", "Use a picture in which the subject is free."],
  low_information: ["Nothing to see", "The picture holds next to no detail: a flat colour, a blank page or noise.", "Check that it is the picture you meant."],
  low_grade: ["Grade too low", "The service's own judge of pictures puts this one below the grade it asks for.", "Choose a better picture of the same thing."],
  too_small: ["Too small", "There are too few pixels for a clean edge.", "Use the original instead of its thumbnail."],
  wholly_transparent: ["Wholly transparent", "The file's own transparency hides every pixel.", "Export it again with its layers shown."],
  no_subject: ["No subject found", "Nothing in the picture stands out as something to cut out.", "Crop it closer to what you want to keep, and try that."],
  no_outline: ["No outline", "Nothing of the subject is as opaque as the outline's level asks.", "Choose a lower level in its options."],
  template: ["The poster cannot be filled", "A text that the template takes has no value.", "Fill in what its texts are to say."],
  no_face: ["No face", "A product needs a face, and none was found that looks at the camera.", "Take a picture from the front, with the whole face free and in light."],
  several_faces: ["Several faces", "An ID photo shows one person, and there are more.", "Crop the picture to one person."],
  face_too_small: ["Face too small", "The picture would have to be enlarged more than the option “largest enlargement” allows.", "Use a larger picture, or one taken from nearer."],
  face_turned: ["Face turned", "The face looks aside, up or down.", "Take a picture that looks straight at the camera."],
  face_tilted: ["Head tilted", "The head leans to a side more than can be turned upright, or than the authority allows.", "Take a picture with the head upright."],
  eyes_outside: ["Eyes outside", "An eye lies outside of the picture.", "Use a picture of the whole face."],
  head_cut_off: ["Head cut off", "The picture's edge cuts off the hair, the head or the chin.", "Use a picture with room around the head."],
  no_room: ["No room around the head", "The picture ends too near the head for what the authority asks; the message says where and by how much.", "Use a picture taken from further away, with more of the shoulders."],
  face_too_dark: ["Face too dark", "The face lies in the dark.", "Take a picture with light from the front."],
  face_too_bright: ["Face too bright", "Large parts of the face are as bright as can be.", "Take a picture with less light."],
  face_blurred: ["Face blurred", "The eyes are out of focus, or moved.", "Take a sharper picture."],
  face_occluded: ["Face covered", "Dark glasses, a mask or something else covers the eyes or the mouth.", "Take a picture with the face free."],
  no_part: ["Not in the picture", "The part that was asked for was not found: no hair on the head, or all of it outside of the cut-out.", "Ask for another part, or use another picture."],
  not_a_picture: ["Not a picture", "The file is in no picture format, whatever its name says.", "Choose a JPEG, PNG, WebP, AVIF, TIFF, JPEG 2000, BMP or GIF."],
  empty_file: ["Empty file", "The file holds no bytes.", "Copy or download it again."],
  truncated: ["Cut short", "The file ends before the picture does.", "Copy or download it again."],
  decode_error: ["Damaged", "The file begins as a picture but cannot be decoded.", "Open it elsewhere and save it again, or use another copy."],
  unsupported: ["Unsupported format", "This kind of picture is not read here.", "Save it as JPEG, PNG or WebP and try that."],
  too_many_pixels: ["Too many pixels", "The picture is larger than this service takes.", "Make a smaller copy."],
  too_large: ["Side too long", "One side of the picture is longer than this service takes.", "Make a smaller copy."],
  too_many_bytes: ["File too large", "The file is larger than this service takes.", "Make a smaller copy."],
  too_large_for_format: ["Too large for its format", "The product has more pixels than its format can hold.", "Choose png in its options."],
  encode_error: ["Could not be saved", "The product's file could not be made.", "Choose another format in its options."],
  out_of_memory: ["Too much for this machine", "The picture needs more memory than there is.", "Make a smaller copy."],
};

const DOUBTFUL = 0.75; // a matte less sure than this should be looked at

export const doubtful = ({ state, answer, matte }) => state === "ok" && !matte && !(answer.confidence >= DOUBTFUL);

export function meaning(reason, detail = "") {
  const [heading, means, remedy] = WORDS[reason] ?? ["Something went wrong", detail || "It was none of your doing.", "Try again; if it happens again, please report it."];
  return { heading, means, remedy };
}
