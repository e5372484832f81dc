/* A long short-term memory: int8 inputs and answers, gates and the cell in int16. */
#include "arithmetic.h"
#include "kernels.h"

static inline int16_t saturate16(int32_t value) { return (int16_t)clamp(value, -32768, 32767); }

/* The product of two fractions of 15 bits, rounded. */
static inline int32_t mul15(int32_t a, int32_t b) { return saturate16((a * b + (1 << 14)) >> 15); }

static inline int32_t shift_left16(int32_t value, int32_t bits) {
    const int32_t most = (1 << (15 - bits)) - 1;
    return value > most ? 32767 : value < -most ? -32768 : value * (1 << bits);
}

/* e^x for x <= 0 of so many integer bits: a series around -1/8, then a factor for each bit above. */
static int32_t exp16(int32_t x, int32_t integer_bits) {
    static const int16_t powers[] = {25520, 19875, 12055, 4435, 600, 11, 0}; /* e^-(1/4, 1/2, 1, ...) */
    const int32_t quarter = 1 << (13 - integer_bits), within = (x & (quarter - 1)) - quarter;
    const int32_t y = within * (1 << integer_bits) + (1 << 12), y2 = mul15(y, y), y3 = mul15(y2, y);
    const int32_t series = mul15(rounding_shift(mul15(y2, y2), 2) + y3, 10923) + y2;
    int32_t result = saturate16(28918 + mul15(28918, y + rounding_shift(series, 1)));
    const int32_t rest = within - x;
    for (int32_t i = 0; i < 7 && i - 2 < integer_bits; i++)
        if (rest & quarter << i) result = mul15(result, powers[i]);
    if (integer_bits > 5 && x < -(1 << (20 - integer_bits))) result = 0;
    return x == 0 ? 32767 : result;
}

/* 1 / ((1 + x) / 2) for 0 <= x < 1, 13 fraction bits, by three steps of Newton's method. */
static int32_t reciprocal16(int32_t x) {
    const int32_t half = (x + 32768) / 2;
    int32_t y = 23130 + mul15(half, -15420);
    for (int32_t i = 0; i < 3; i++) y += shift_left16(mul15(y, (1 << 13) - mul15(half, y)), 2);
    return y;
}

/* 1 / (1 + e^-x): 3 integer bits in, none out. */
static int32_t logistic16(int32_t x) {
    const int32_t above = shift_left16(reciprocal16(exp16(x > 0 ? -x : x, 3)), 1);
    return x == 0 ? 1 << 14 : x > 0 ? above : 32767 - above;
}

static int32_t tanh16(int32_t x, int32_t integer_bits) {
    const int32_t y = reciprocal16(exp16(x > 0 ? -x : x, integer_bits + 1));
    const int32_t above = shift_left16(y - (1 << 13), 2);
    return x == 0 ? 0 : x > 0 ? above : -above;
}

static inline int32_t scaled_sum(const tm_lstm_gate *gate, const int8_t *values, int32_t count,
                                 const int8_t *weights, int32_t sum, int32_t which) {
    for (int32_t i = 0; i < count; i++) sum += values[i] * weights[i];
    return scale_by(sum, gate->multiplier[which], gate->shift[which]);
}

/* What goes into the gate of one unit, 12 fraction bits. */
static int32_t gate_of(const tm_lstm_layer *layer, int32_t which, int32_t unit, const int8_t *input,
                       const int8_t *before) {
    const tm_lstm_gate *gate = layer->gates + which;
    const int32_t from_input = scaled_sum(gate, input, layer->inputs, gate->weights + unit * layer->inputs,
                                          gate->bias[unit], 0);
    const int32_t from_before = scaled_sum(gate, before, layer->units, gate->recurrent + unit * layer->units,
                                           gate->recurrent_bias[unit], 1);
    return clamp(from_before + saturate16(from_input), -32768, 32767);
}

static int8_t next_of(const tm_lstm_layer *layer, int32_t unit, const int8_t *input, const int8_t *before,
                      int16_t *cell) {
    const int32_t in = logistic16(gate_of(layer, 0, unit, input, before));
    const int32_t forget = logistic16(gate_of(layer, 1, unit, input, before));
    const int32_t candidate = tanh16(gate_of(layer, 2, unit, input, before), 3);
    const int32_t out = logistic16(gate_of(layer, 3, unit, input, before));
    const int32_t kept = rounding_shift(forget * *cell, 15);
    *cell = saturate16(kept + rounding_shift(in * candidate, 15 + layer->cell_bits));
    if (layer->cell_clip) *cell = (int16_t)clamp(*cell, -layer->cell_clip, layer->cell_clip);
    const int32_t product = out * tanh16(*cell, layer->cell_bits);
    const int32_t answer = scale_by(product, layer->multiplier, layer->shift) + layer->output_zero_point;
    return (int8_t)clamp(answer, -128, 127);
}

void tm_lstm(const tm_lstm_layer *layer, const int8_t *input, int8_t *state, int16_t *cell, int8_t *output) {
    const int8_t *before = state;
    for (int32_t t = 0; t < layer->times; t++, input += layer->inputs, output += layer->units) {
        for (int32_t i = 0; i < layer->units; i++) output[i] = next_of(layer, i, input, before, cell + i);
        before = output;
    }
    for (int32_t i = 0; i < layer->units; i++) state[i] = before[i];
}
