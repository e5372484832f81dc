/* Learns on the device: steps of gradient descent on the last layer alone, in floats. */
#include <stdint.h>

float weights[CLASSES][FEATURES], biases[CLASSES], rate;
int8_t features[EXAMPLES][FEATURES]; /* as the network before this layer left them */
float scale;                         /* what an integer of them is worth */
uint8_t labels[EXAMPLES];

/* e to the x, for x <= 0: halves eight times over, a polynomial, squares eight times. */
static float exponential(float x) {
    float y = x < -20.0f ? -20.0f : x;
    y *= 1.0f / 256.0f;
    y = 1.0f + y * (1.0f + y * (0.5f + y * (1.0f / 6.0f)));
    for (int i = 0; i < 8; i++) {
        y *= y;
    }
    return y;
}

/* Cross-entropy pulls each class's score by its probability, less 1 for the true class. */
static void learn(const int8_t *example, int label) {
    float score[CLASSES], most = -1e30f, sum = 0.0f;
    for (int c = 0; c < CLASSES; c++) {
        float dot = 0.0f;
        for (int i = 0; i < FEATURES; i++) {
            dot += weights[c][i] * example[i];
        }
        score[c] = dot * scale + biases[c];
        most = score[c] > most ? score[c] : most;
    }
    for (int c = 0; c < CLASSES; c++) {
        score[c] = exponential(score[c] - most);
        sum += score[c];
    }
    for (int c = 0; c < CLASSES; c++) {
        float pull = rate * (score[c] / sum - (c == label));
        biases[c] -= pull;
        for (int i = 0; i < FEATURES; i++) {
            weights[c][i] -= pull * scale * example[i];
        }
    }
}

int main(void) {
    for (int n = 0; n < EXAMPLES; n++) {
        learn(features[n], labels[n]);
    }
    return 0;
}
