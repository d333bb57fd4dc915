/* A FastGRNN window as a careful C programmer writes it by hand: sizes known to the compiler, weights laid out so that
 * every inner loop runs along neurons with unit stride, W x of four samples at a time, gates vectorised by the compiler's
 * own math library (-ffast-math). A peer for benchmarks, not a part of the runtime.
 *
 *   cc -std=c11 -O3 -march=native -ffast-math -fPIC -shared -DH=80 -DD=9 -DT=128 -DK=6 fastgrnn.c -lm
 */
#include <math.h>

/* All matrices input-major: w [D][H], u [H][H], fc [H][K]. s = W x + U h; z = sigmoid(s + bz); g = tanh(s + bh);
 * h = (zeta (1 - z) + nu) g + z h. x [T][D], logits [K]. */
void tuned_window(const float *restrict w, const float *restrict u, const float *restrict bz, const float *restrict bh,
                  const float *restrict fc, const float *restrict fb, float zeta, float nu, const float *restrict x,
                  float *restrict logits)
{
    _Alignas(64) float h[H] = {0}, s[H];
    for (int t = 0; t < T; t++) {
        for (int i = 0; i < H; i++) {
            s[i] = 0;
        }
        for (int j = 0; j < D; j++) {
            for (int i = 0; i < H; i++) {
                s[i] += w[j * H + i] * x[t * D + j];
            }
        }
        for (int j = 0; j + 3 < H; j += 4) {
            for (int i = 0; i < H; i++) {
                s[i] += u[j * H + i] * h[j] + u[(j + 1) * H + i] * h[j + 1] + u[(j + 2) * H + i] * h[j + 2] +
                        u[(j + 3) * H + i] * h[j + 3];
            }
        }
        for (int j = H / 4 * 4; j < H; j++) {
            for (int i = 0; i < H; i++) {
                s[i] += u[j * H + i] * h[j];
            }
        }
        for (int i = 0; i < H; i++) {
            float z = 1.0f / (1.0f + expf(-(s[i] + bz[i])));
            float e = expf(2.0f * fminf(fmaxf(s[i] + bh[i], -10.0f), 10.0f));
            h[i] = (zeta * (1.0f - z) + nu) * ((e - 1.0f) / (e + 1.0f)) + z * h[i];
        }
    }
    for (int k = 0; k < K; k++) {
        logits[k] = fb[k];
    }
    for (int j = 0; j < H; j++) {
        for (int k = 0; k < K; k++) {
            logits[k] += fc[j * K + k] * h[j];
        }
    }
}
