// From a photo and the landmarks of a face to the labels that FaceAttributeInferencer gives, without a server.
// Images are objects of width, height and data, RGBA in 0 to 255, as the ImageData of a canvas.

import * as ort from 'onnxruntime-web';

/** The network of model.onnx, and what model.json beside it says about it. */
export async function loadModel(folder) {
  const about = await (await fetch(`${folder}/model.json`)).json();
  return { about, session: await ort.InferenceSession.create(`${folder}/model.onnx`) };
}

/** The pixels of an image file, rotated by its EXIF tag, in sRGB, transparency composited onto white. */
export async function readImage(blob) {
  const bitmap = await createImageBitmap(blob);
  const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext('2d');
  context.fillStyle = 'white';
  context.fillRect(0, 0, bitmap.width, bitmap.height);
  context.drawImage(bitmap, 0, 0);
  return context.getImageData(0, 0, bitmap.width, bitmap.height);
}

/**
 * A face as the network was trained on: the similarity transform that brings its five landmarks nearest to those of
 * the template, in the sense of least squares. Landmarks are [x, y] in pixels, in the template's order.
 */
export function alignFace(image, landmarks, { template, size: [width, height] }) {
  return warp(image, fitSimilarity(landmarks, template), width, height);
}

/** The attributes of aligned faces: of each face a list of { group, attributes: [{ name, probability, label }] }. */
export async function predict({ about, session }, faces) {
  const [height, width] = about.input_size;
  const pixels = new Uint8Array(faces.length * height * width * 3);
  faces.forEach((face, index) => {
    const { data } = about.pipeline.reduce(resize, face);
    for (let i = 0; i < height * width; i++) {
      pixels.set(data.subarray(4 * i, 4 * i + 3), 3 * (index * height * width + i));
    }
  });
  const images = new ort.Tensor('uint8', pixels, [faces.length, height, width, 3]);
  const { probabilities, labels } = await session.run({ images });
  return faces.map((_, face) =>
    Object.entries(about.groups).map(([group, names]) => ({
      group,
      attributes: names.map((name) => {
        const i = face * about.classes.length + about.classes.indexOf(name);
        return { name, probability: probabilities.data[i], label: Boolean(labels.data[i]) };
      }),
    })),
  );
}

/**
 * The rotation, scale and shift that bring points nearest to others: (x, y) goes to (a x - b y + dx, b x + a y + dy).
 * As complex numbers around their means, a + bi = sum(conj(p) q) / sum(|p|^2).
 */
export function fitSimilarity(points, targets) {
  const mean = (list, axis) => list.reduce((sum, point) => sum + point[axis], 0) / list.length;
  const [px, py, qx, qy] = [mean(points, 0), mean(points, 1), mean(targets, 0), mean(targets, 1)];
  let [a, b, norm] = [0, 0, 0];
  points.forEach(([x, y], i) => {
    const [u, v, s, t] = [x - px, y - py, targets[i][0] - qx, targets[i][1] - qy];
    a += u * s + v * t;
    b += u * t - v * s;
    norm += u * u + v * v;
  });
  [a, b] = [a / norm, b / norm];
  return { a, b, dx: qx - a * px + b * py, dy: qy - b * px - a * py };
}

/** Where the point was that a similarity transform brings to (x, y). */
export function transformBack({ a, b, dx, dy }, x, y) {
  const norm = a * a + b * b;
  return [(a * (x - dx) + b * (y - dy)) / norm, (a * (y - dy) - b * (x - dx)) / norm];
}

/** An image after a similarity transform, as another of this width and height; its border is repeated. */
export function warp(image, transform, width, height) {
  const scale = Math.hypot(transform.a, transform.b);
  const back = (x, y) => transformBack(transform, x, y);
  let [left, top, kx, ky] = [0, 0, 1, 1];
  if (scale < 1) {
    // Interpolation alone would skip pixels: the part that is seen is shrunk first, each pixel the mean of its area.
    const corners = [back(-0.5, -0.5), back(width - 0.5, -0.5), back(-0.5, height - 0.5), back(width - 0.5, height - 0.5)];
    const margin = 2 / scale;
    const range = (axis, last) => {
      const values = corners.map((corner) => corner[axis]);
      const inside = (value) => Math.floor(Math.min(Math.max(value, 0), last));
      return [inside(Math.min(...values) - margin), inside(Math.max(...values) + margin) + 1];
    };
    const [x, y] = [range(0, image.width - 1), range(1, image.height - 1)];
    const [w, h] = [x, y].map(([start, end]) => Math.max(1, Math.round((end - start) * scale)));
    [left, top, kx, ky] = [x[0], y[0], (x[1] - x[0]) / w, (y[1] - y[0]) / h];
    image = shrink(image, x, y, w, h);
  }
  // The center of the first pixel is 0, its edge -0.5.
  return sample(image, width, height, (x, y) => {
    const [u, v] = back(x, y);
    return [(u - left + 0.5) / kx - 0.5, (v - top + 0.5) / ky - 0.5];
  });
}

/** A step of the pipeline, as OpenCV does it. */
function resize(image, step) {
  const [width, height] = step.scale ?? [];
  const area = step.interpolation === 'area';
  if (step.type !== 'Resize' || step.keep_ratio || !height || (area && (width > image.width || height > image.height))) {
    throw new Error(`this example has no such step: ${JSON.stringify(step)}`);
  }
  if (area) {
    return shrink(image, [0, image.width], [0, image.height], width, height);
  }
  const [kx, ky] = [image.width / width, image.height / height];
  return sample(image, width, height, (x, y) => [(x + 0.5) * kx - 0.5, (y + 0.5) * ky - 0.5]);
}

/** A part of an image, from and to these columns and rows, in fewer pixels: each the mean of the area it covers. */
export function shrink(image, [left, right], [top, bottom], width, height) {
  const [columns, rows] = [covered(left, right, width), covered(top, bottom, height)];
  const lines = new Float32Array(rows.length * image.width * 4);
  rows.forEach((parts, y) => {
    for (const [row, share] of parts) {
      for (let i = 4 * left; i < 4 * right; i++) {
        lines[y * image.width * 4 + i] += share * image.data[row * image.width * 4 + i];
      }
    }
  });
  const data = new Uint8ClampedArray(width * height * 4);
  for (let y = 0; y < height; y++) {
    columns.forEach((parts, x) => {
      for (let channel = 0; channel < 4; channel++) {
        const value = (sum, [column, share]) => sum + share * lines[(y * image.width + column) * 4 + channel];
        data[(y * width + x) * 4 + channel] = parts.reduce(value, 0);
      }
    });
  }
  return { width, height, data };
}

/** For each of fewer pixels, the old ones that it covers, with their shares. */
function covered(start, end, count) {
  const scale = (end - start) / count;
  return Array.from({ length: count }, (_, i) => {
    const [from, to] = [start + i * scale, start + (i + 1) * scale];
    const parts = [];
    for (let old = Math.floor(from); old < Math.min(to, end); old++) {
      parts.push([old, (Math.min(to, old + 1) - Math.max(from, old)) / scale]);
    }
    return parts;
  });
}

/** An image of pixels that lie at any place of another, interpolated bilinearly; its border is repeated. */
function sample(image, width, height, place) {
  const data = new Uint8ClampedArray(width * height * 4);
  const inside = (value, side) => Math.min(Math.max(value, 0), side - 1);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const [u, v] = place(x, y);
      const [column, row] = [Math.floor(u), Math.floor(v)];
      const [s, t] = [u - column, v - row];
      const [left, right] = [inside(column, image.width), inside(column + 1, image.width)];
      const [top, bottom] = [inside(row, image.height) * image.width, inside(row + 1, image.height) * image.width];
      for (let channel = 0; channel < 4; channel++) {
        const at = (index) => image.data[4 * index + channel];
        data[4 * (y * width + x) + channel] =
          (1 - t) * ((1 - s) * at(top + left) + s * at(top + right)) +
          t * ((1 - s) * at(bottom + left) + s * at(bottom + right));
      }
    }
  }
  return { width, height, data };
}
