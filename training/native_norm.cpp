// Batch norm in training mode fused with its activation, for the channels-last layout.
//
// A tensor is M rows of C channels. Rows are taken in groups of `repeat`, so that a
// group is a whole number of 16-float vectors: then every loop below is over contiguous
// memory with no remainder, and the compiler vectorises it. PyTorch's own kernels need
// three passes more and leave most of the vector unit idle at 20 or 40 channels.
//
// Activations: 0 none, 1 ReLU, 2 hard-swish.
#include <cmath>
#include <vector>

namespace {

constexpr long kVector = 16;   // floats per AVX-512 register
constexpr long kFlush = 64;    // groups added in float32 before going to double

long repeat_of(long channels) {
  long repeat = 1;
  while ((channels * repeat) % kVector) ++repeat;
  return repeat;
}

std::vector<float> tiled(const float* values, long channels, long length) {
  std::vector<float> out(length);
  for (long i = 0; i < length; ++i) out[i] = values[i % channels];
  return out;
}

template <int act>
inline float activate(float z) {
  if (act == 1) return z > 0.f ? z : 0.f;
  if (act == 2) {
    float gate = z + 3.f;
    gate = gate < 0.f ? 0.f : (gate > 6.f ? 6.f : gate);
    return z * gate * (1.f / 6.f);
  }
  return z;
}

template <int act>
inline float slope(float z) {
  if (act == 1) return z > 0.f ? 1.f : 0.f;
  if (act == 2) {
    float inner = (2.f * z + 3.f) * (1.f / 6.f);
    return z <= -3.f ? 0.f : (z >= 3.f ? 1.f : inner);
  }
  return 1.f;
}

// Adds per-channel sums of two quantities over all rows; body(row, l, a, b) sets them.
template <class Body>
void reduce(long rows, long channels, double* first, double* second, Body body) {
  const long repeat = repeat_of(channels), length = channels * repeat, groups = rows / repeat;
  std::vector<float> a(length), b(length);
  for (long c = 0; c < channels; ++c) first[c] = second[c] = 0.0;
  auto flush = [&](long count) {
    for (long l = 0; l < count; ++l) {
      first[l % channels] += a[l];
      second[l % channels] += b[l];
      a[l] = b[l] = 0.f;
    }
  };
  for (long g = 0; g < groups; ++g) {
    body(g * length, length, a.data(), b.data());
    if (g % kFlush == kFlush - 1) flush(length);
  }
  flush(length);
  const long rest = (rows - groups * repeat) * channels;
  if (rest) {
    body(groups * length, rest, a.data(), b.data());
    flush(rest);
  }
}

template <class Body>
void for_groups(long rows, long channels, Body body) {
  const long length = channels * repeat_of(channels), total = rows * channels;
  long at = 0;
  for (; at + length <= total; at += length) body(at, length);
  if (at < total) body(at, total - at);
}

template <int act>
void forward(const float* x, long rows, long channels, const float* gamma, const float* beta,
             float eps, float momentum, float* running_mean, float* running_var, float* y,
             float* mean, float* inv) {
  const long length = channels * repeat_of(channels);
  const auto pivot = tiled(x, channels, length);  // first row: keeps the squares small
  std::vector<double> sum(channels), square(channels);
  reduce(rows, channels, sum.data(), square.data(),
         [&](long at, long count, float* __restrict a, float* __restrict b) {
           const float *__restrict p = x + at, *__restrict o = pivot.data();
           for (long l = 0; l < count; ++l) {
             const float d = p[l] - o[l];
             a[l] += d;
             b[l] += d * d;
           }
         });
  std::vector<float> scale(channels), shift(channels);
  for (long c = 0; c < channels; ++c) {
    const double m = sum[c] / rows;
    double v = square[c] / rows - m * m;
    v = v > 0.0 ? v : 0.0;
    mean[c] = static_cast<float>(x[c] + m);
    inv[c] = static_cast<float>(1.0 / std::sqrt(v + eps));
    scale[c] = gamma[c] * inv[c];
    shift[c] = beta[c] - mean[c] * scale[c];
    const double unbiased = rows > 1 ? v * rows / (rows - 1) : v;
    running_mean[c] += momentum * (mean[c] - running_mean[c]);
    running_var[c] += momentum * (static_cast<float>(unbiased) - running_var[c]);
  }
  const auto s = tiled(scale.data(), channels, length), t = tiled(shift.data(), channels, length);
  for_groups(rows, channels, [&](long at, long count) {
    const float* __restrict p = x + at;
    const float *__restrict sp = s.data(), *__restrict tp = t.data();
    float* __restrict q = y + at;
    for (long l = 0; l < count; ++l) q[l] = activate<act>(p[l] * sp[l] + tp[l]);
  });
}

template <int act>
void backward(const float* x, const float* dy, long rows, long channels, const float* gamma,
              const float* beta, const float* mean, const float* inv, float* dx, float* dgamma,
              float* dbeta) {
  std::vector<float> scale(channels), shift(channels);
  for (long c = 0; c < channels; ++c) {
    scale[c] = gamma[c] * inv[c];
    shift[c] = beta[c] - mean[c] * scale[c];
  }
  const long length = channels * repeat_of(channels);
  const auto s = tiled(scale.data(), channels, length), t = tiled(shift.data(), channels, length),
             m = tiled(mean, channels, length);
  const float *__restrict sp = s.data(), *__restrict tp = t.data(), *__restrict mp = m.data();
  std::vector<double> sum(channels), dot(channels);
  reduce(rows, channels, sum.data(), dot.data(),
         [&](long at, long count, float* __restrict a, float* __restrict b) {
           const float *__restrict p = x + at, *__restrict d = dy + at;
           for (long l = 0; l < count; ++l) {
             const float dz = slope<act>(p[l] * sp[l] + tp[l]) * d[l];
             a[l] += dz;
             b[l] += dz * (p[l] - mp[l]);
           }
         });
  std::vector<float> of_x(channels), constant(channels);
  for (long c = 0; c < channels; ++c) {
    dgamma[c] = static_cast<float>(dot[c] * inv[c]);
    dbeta[c] = static_cast<float>(sum[c]);
    of_x[c] = -scale[c] * inv[c] * dgamma[c] / rows;
    constant[c] = -scale[c] * dbeta[c] / rows - of_x[c] * mean[c];
  }
  const auto u = tiled(of_x.data(), channels, length), w = tiled(constant.data(), channels, length);
  const float *__restrict up = u.data(), *__restrict wp = w.data();
  for_groups(rows, channels, [&](long at, long count) {
    const float *__restrict p = x + at, *__restrict d = dy + at;
    float* __restrict q = dx + at;
    for (long l = 0; l < count; ++l) {
      const float dz = slope<act>(p[l] * sp[l] + tp[l]) * d[l];
      q[l] = sp[l] * dz + up[l] * p[l] + wp[l];
    }
  });
}

}  // namespace

extern "C" {

// out row: a0 b0 a1 b1 ...; a and b are rows of `half` channels, so many floats apart.
void interleave_forward(const float* a, long a_stride, const float* b, long b_stride, long rows,
                        long half, float* out) {
  for (long r = 0; r < rows; ++r) {
    const float *__restrict p = a + r * a_stride, *__restrict q = b + r * b_stride;
    float* __restrict o = out + r * 2 * half;
    for (long c = 0; c < half; ++c) {
      o[2 * c] = p[c];
      o[2 * c + 1] = q[c];
    }
  }
}

void interleave_backward(const float* dy, long rows, long half, float* da, float* db) {
  const long total = rows * half;
  for (long i = 0; i < total; ++i) {
    da[i] = dy[2 * i];
    db[i] = dy[2 * i + 1];
  }
}

void norm_act_forward(int act, const float* x, long rows, long channels, const float* gamma,
                      const float* beta, float eps, float momentum, float* running_mean,
                      float* running_var, float* y, float* mean, float* inv) {
  const auto run = act == 0 ? forward<0> : act == 1 ? forward<1> : forward<2>;
  run(x, rows, channels, gamma, beta, eps, momentum, running_mean, running_var, y, mean, inv);
}

void norm_act_backward(int act, const float* x, const float* dy, long rows, long channels,
                       const float* gamma, const float* beta, const float* mean, const float* inv,
                       float* dx, float* dgamma, float* dbeta) {
  const auto run = act == 0 ? backward<0> : act == 1 ? backward<1> : backward<2>;
  run(x, dy, rows, channels, gamma, beta, mean, inv, dx, dgamma, dbeta);
}

}  // extern "C"
