// The faces of an upright photo, as FaceDetector finds them: YuNet finds them, O-Net places their landmarks.

import * as ort from 'onnxruntime-web';

import { fitSimilarity, shrink, transformBack, warp } from './face_attributes.js';

/** The networks yunet.onnx and onet.onnx, and detector.json, as tools/export.py --detector writes them. */
export async function loadDetector(folder) {
  const about = await (await fetch(`${folder}/detector.json`)).json();
  const open = (name) => ort.InferenceSession.create(`${folder}/${name}.onnx`, { logSeverityLevel: 3 });
  return { about, yunet: await open('yunet'), onet: await open('onet') };
}

/** The faces of an image, the largest first: { box: [left, top, right, bottom], landmarks, score } in its pixels. */
export async function detectFaces({ about, yunet, onet }, image) {
  const ratio = Math.min(1, Math.sqrt(about.max_pixels / (image.width * image.height)));
  const [width, height] = [image.width, image.height].map((side) => Math.max(1, Math.round(side * ratio)));
  const small = ratio < 1 ? shrink(image, [0, image.width], [0, image.height], width, height) : image;
  const faces = [];
  for (const { box, points } of await findCandidates(about, yunet, small)) {
    let face = await refine(about, onet, small, points, about.yunet_points);
    if (face.score < about.confident_score) {
      // O-Net is surer of a face that is turned if its own landmarks place it.
      const again = await refine(about, onet, small, face.landmarks, about.template);
      face = again.score > face.score ? again : face;
    }
    if (face.score >= about.min_score) {
      faces.push({ box, ...face });
    }
  }
  const [kx, ky] = [image.width / width, image.height / height];
  const rescale = ([x, y]) => [(x + 0.5) * kx - 0.5, (y + 0.5) * ky - 0.5];
  const clip = ([x, y]) => [Math.min(Math.max(x, 0), width), Math.min(Math.max(y, 0), height)];
  const area = ({ box: [left, top, right, bottom] }) => (right - left) * (bottom - top);
  return faces
    .map(({ box, landmarks, score }) => ({
      box: [box.slice(0, 2), box.slice(2)].map(clip).flatMap(rescale),
      landmarks: landmarks.map(rescale),
      score,
    }))
    .sort((one, other) => area(other) - area(one));
}

/** Boxes and landmarks by YuNet, of which none overlap much. */
async function findCandidates(about, yunet, image) {
  // It halves the picture five times.
  const [width, height] = [image.width, image.height].map((side) => 32 * Math.ceil(side / 32));
  const pixels = new Float32Array(3 * width * height);
  for (let y = 0; y < image.height; y++) {
    for (let x = 0; x < image.width; x++) {
      for (let channel = 0; channel < 3; channel++) {
        pixels[((2 - channel) * height + y) * width + x] = image.data[4 * (y * image.width + x) + channel];
      }
    }
  }
  const outputs = await yunet.run({ [yunet.inputNames[0]]: new ort.Tensor('float32', pixels, [1, 3, height, width]) });
  const found = [];
  for (const stride of about.strides) {
    const [cls, obj, bbox, kps] = ['cls', 'obj', 'bbox', 'kps'].map((name) => outputs[`${name}_${stride}`].data);
    const share = (value) => Math.min(Math.max(value, 0), 1);
    for (let i = 0; i < cls.length; i++) {
      const score = Math.sqrt(share(cls[i]) * share(obj[i]));
      if (score >= about.candidate_score) {
        // Of the cell that it is in.
        const cell = [i % (width / stride), Math.floor(i / (width / stride))];
        const center = cell.map((corner, axis) => (corner + bbox[4 * i + axis]) * stride);
        const half = [0, 1].map((axis) => (Math.exp(bbox[4 * i + 2 + axis]) * stride) / 2);
        const points = [0, 1, 2, 3, 4].map((point) =>
          cell.map((corner, axis) => (corner + kps[10 * i + 2 * point + axis]) * stride),
        );
        const box = [center[0] - half[0], center[1] - half[1], center[0] + half[0], center[1] + half[1]];
        found.push({ box, points, score });
      }
    }
  }
  found.sort((one, other) => other.score - one.score);
  return found.reduce(
    (kept, face) => (kept.every(({ box }) => overlap(box, face.box) <= about.max_overlap) ? [...kept, face] : kept),
    [],
  );
}

/** Intersection over union of two boxes. */
function overlap(one, other) {
  const area = ([left, top, right, bottom]) => Math.max(0, right - left) * Math.max(0, bottom - top);
  const common = area(one.map((side, i) => (i < 2 ? Math.max(side, other[i]) : Math.min(side, other[i]))));
  return common / (area(one) + area(other) - common);
}

/** Landmarks and score by O-Net of a face whose landmarks of another kind are known, with their template. */
async function refine(about, onet, image, points, template) {
  const { onet_side: side, onet_pixels: size } = about;
  const corner = about.onet_center.map((center) => center - side / 2);
  const place = fitSimilarity(points, template);
  const zoom = size / side;
  const { data } = warp(
    image,
    { a: place.a * zoom, b: place.b * zoom, dx: (place.dx - corner[0]) * zoom, dy: (place.dy - corner[1]) * zoom },
    size,
    size,
  );
  // It was trained on RGB, with x before y.
  const input = new Float32Array(3 * size * size);
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      for (let channel = 0; channel < 3; channel++) {
        input[3 * (x * size + y) + channel] = (data[4 * (y * size + x) + channel] - 127.5) / 128;
      }
    }
  }
  const outputs = await onet.run({ [onet.inputNames[0]]: new ort.Tensor('float32', input, [1, size, size, 3]) });
  const [found, scores] = [outputs.dense_6.data, outputs.softmax_2.data];
  // x of all landmarks, then y; its own pixels are numbered from 1.
  const landmarks = about.template.map((target, i) =>
    transformBack(
      place,
      ...[0, 1].map(
        (axis) => found[5 * axis + i] * side - side / size + corner[axis] + target[axis] - about.onet_points[i][axis],
      ),
    ),
  );
  return { landmarks, score: scores[1] };
}
